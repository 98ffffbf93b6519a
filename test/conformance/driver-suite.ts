import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { describeBackups } from './suite/backing-up.ts';
import { describeAnyContent, describeContent } from './suite/content.ts';
import { describeCopies } from './suite/copying.ts';
import { describeDeleting } from './suite/deleting.ts';
import { describeFailures } from './suite/failing.ts';
import { describeEmptyStore, describeManyDocuments } from './suite/listing.ts';
import { describePermits } from './suite/permitting.ts';
import { describeProbe } from './suite/probing.ts';
import { describeProjections } from './suite/projecting.ts';
import { describeRecreating } from './suite/recreating.ts';
import { describeReflecting } from './suite/reflecting.ts';
import { describeRemains } from './suite/remains.ts';
import { describeRefusals } from './suite/refusing.ts';
import type { Subject } from './suite/subject.ts';
import { Trial } from './suite/trial.ts';
import { describeVersions } from './suite/versions.ts';
import { describeReplies, describeWriting } from './suite/writing.ts';

/** Tests the behavior that the engine relies on. */
export function describeDriver(subject: Subject): void {
  describe(`the ${subject.kind} driver`, () => {
    const trial = new Trial(subject);
    beforeAll(() => trial.open());
    beforeEach(() => trial.begin());
    afterAll(() => trial.close());

    // First, because nothing is written yet.
    describeEmptyStore(trial);
    describeProbe(trial);
    describeFailures(trial);
    describeWriting(trial);
    describeReplies(trial);
    describeReflecting(trial);
    describeRecreating(trial);
    describeVersions(trial);
    describeRemains(trial);
    describePermits(trial);
    describeContent(trial);
    describeAnyContent(trial);
    describeRefusals(trial);
    describeManyDocuments(trial);
    describeDeleting(trial);
    describeBackups(trial);
    describeCopies(trial);
    describeProjections(trial);
  });
}
