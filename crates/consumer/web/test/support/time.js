// Waiting for the world, with a deadline.

/**
 * @template T
 * @param {() => T} look
 * @param {number} [deadlineMs]
 * @returns {Promise<T>}
 */
export async function eventually(look, deadlineMs = 5_000) {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    try {
      const found = look();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${look}`);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Random numbers that a failed test can be repeated with (mulberry32). */
export function randomOf(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let n = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
    return Math.floor((((n ^ (n >>> 14)) >>> 0) / 4294967296) * below);
  };
}
