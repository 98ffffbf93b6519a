/** A mistake of the person at the command line. Its message is a whole text for them: what happened, and what to do next. */
export class Problem extends Error {
  override readonly name = 'Problem';
}
