/**
 * exp, ln and sqrt from + - * / alone: the standard leaves the last bit of Math.exp to the engine, and one
 * differing bit would change the digest of the model.
 */

/** e to the power x: halve the argument until a Taylor series converges, then square back. */
export function exp(x: number): number {
  if (x < -700) return 0;
  if (x > 700) return Number.POSITIVE_INFINITY;
  let halvings = 0;
  let r = x;
  while (r > 0.5 || r < -0.5) {
    r /= 2;
    halvings++;
  }
  let term = 1;
  let sum = 1;
  for (let k = 1; k <= 16; k++) {
    term = (term * r) / k;
    sum += term;
  }
  for (; halvings > 0; halvings--) sum *= sum;
  return sum;
}

/** Natural logarithm of a positive number, by the series of 2·atanh((x−1)/(x+1)). */
export function ln(x: number): number {
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) throw new RangeError("ln needs a positive finite number");
  const LN2 = Math.LN2;
  let m = x;
  let doublings = 0;
  for (; m > 1.5; m /= 2) doublings++;
  for (; m < 0.75; m *= 2) doublings--;
  const y = (m - 1) / (m + 1);
  let power = y;
  let sum = 0;
  for (let k = 1; k <= 31; k += 2) {
    sum += power / k;
    power *= y * y;
  }
  return 2 * sum + doublings * LN2;
}

/** Square root of a number of at least 0, by Newton's method. */
export function sqrt(x: number): number {
  if (!(x >= 0) || x === Number.POSITIVE_INFINITY)
    throw new RangeError("sqrt needs a finite number from 0 up");
  if (x === 0) return 0;
  let guess = Math.max(x, 1);
  for (let i = 0; i < 60; i++) {
    const next = (guess + x / guess) / 2;
    if (next >= guess) break;
    guess = next;
  }
  return guess;
}

/** Turns logits into probabilities that sum to 1. */
export function softmax(logits: readonly number[]): number[] {
  let top = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > top) top = logit;
  const weights = logits.map((logit) => exp(logit - top));
  let total = 0;
  for (const weight of weights) total += weight;
  return weights.map((weight) => weight / total);
}
