// Medians, quartiles, and the interval in which the true median lies, without assumptions about the
// noise.
'use strict';

const sorted = (values) => Float64Array.from(values).sort();

function quantile(values, share) {
  const order = sorted(values);
  const place = (order.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return order[below] + (order[above] - order[below]) * (place - below);
}

const median = (values) => quantile(values, 0.5);

// How many values may be left out at each end so that the range of the others still contains the
// true median with a probability of 95%. Each value is above or below that median with equal
// probability. Of 9 values one may be left out at each end (96.1%). Of fewer than 6 none may, and
// the probability is lower than 95%.
function trimmed(count) {
  let chance = 0.5 ** count;
  let below = chance;
  let left = 0;
  for (let i = 1; 2 * (below + (chance * (count - i + 1)) / i) <= 0.05; i++) {
    chance *= (count - i + 1) / i;
    below += chance;
    left = i;
  }
  return left;
}

function summarize(values) {
  const order = sorted(values);
  const left = trimmed(order.length);
  return {
    median: median(order),
    quartiles: [quantile(order, 0.25), quantile(order, 0.75)],
    interval: [order[left], order[order.length - 1 - left]],
    values: [...values],
  };
}

module.exports = { median, quantile, summarize };
