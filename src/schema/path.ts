import { z } from 'zod';

/** Segments of letters, digits, "_", "-" and ".", none of which starts with a dot, joined by single slashes. */
const PATH = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;
const PATH_PROBLEM = 'must be segments of letters, digits, "_", "-" and ".", joined by single slashes';

/** A relative path inside a backend: no leading or trailing slash, and no segment that leads to a parent. */
export const PathSchema = z.string().min(1).max(253).regex(PATH, { error: PATH_PROBLEM });
