// Waits for what shows, never for a time.

// The only deadline: it runs out where something is broken, not where a machine is busy.
export const PATIENCE = 60_000;

const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

// Asks again and again until the answer is something, and returns it.
export const until = async (what, ask) => {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE / 1000} s`);
    await pause(25);
  }
};
