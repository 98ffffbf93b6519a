import type { Message } from '#src/errors/explain.ts';

/** Names of users that are kept of each Secret: as many as a message has. */
export const MOST_NAMED = 2;
/** No Secret has a longer name, also with its namespace before it: what refers to one refers to nothing. */
const MAX_NAME = 317;

/** Why a list cannot tell who uses Secrets, in the words of a row. */
export class Untold extends Error {
  readonly told: Message;

  constructor(told: Message) {
    super(told.happened);
    this.told = told;
  }
}

export function tooMany(what: string, most: number): Untold {
  return new Untold({
    happened: `There are more than ${most} ${what}.`,
    hint: 'Check its users, and set spec.removal.inUse to Ignore.',
  });
}

/** Who uses one Secret: the first users (`Deployment web`), and how many there are. */
export interface Users {
  readonly first: readonly string[];
  readonly count: number;
}

/**
 * The users of the Secrets of a namespace, by name of the Secret. Bounded, because a tenant can name any number of Secrets in its
 * objects.
 */
export class UserIndex {
  readonly #most: number;
  readonly #users = new Map<string, { first: string[]; count: number }>();
  #all: { first: string[]; count: number } | undefined;

  /** `most`: names of Secrets that are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Throws `Untold` if there are too many names. */
  add(secret: string, user: string): void {
    if (secret.length === 0 || secret.length > MAX_NAME) return;
    let users = this.#users.get(secret);
    if (users === undefined) {
      if (this.#users.size >= this.#most) {
        throw tooMany(`Secrets that these objects name`, this.#most);
      }
      users = { first: [], count: 0 };
      this.#users.set(secret, users);
    }
    note(users, user);
  }

  /** Adds a user that can use every Secret. */
  addToAll(user: string): void {
    this.#all ??= { first: [], count: 0 };
    note(this.#all, user);
  }

  usersOf(secret: string): Users {
    return together([this.#users.get(secret) ?? NOBODY, this.#all ?? NOBODY]);
  }
}

export const NOBODY: Users = { first: [], count: 0 };

/** The users of all of these, the first ones first. */
export function together(parts: readonly Users[]): Users {
  const first = parts.flatMap((part) => part.first).slice(0, MOST_NAMED);
  return { first, count: parts.reduce((sum, { count }) => sum + count, 0) };
}

function note(users: { readonly first: string[]; count: number }, user: string): void {
  users.count += 1;
  if (users.first.length < MOST_NAMED) users.first.push(user);
}
