// analytics-node, Segment's SDK before @segment/analytics-node. It sends the first call at once and alone, and does not
// wait for that before the rest; this script does, for the order is the caller's to keep.
const { url, writeKey, calls, outcome, end } = require('./report.cjs')
const Analytics = require('analytics-node')

async function main() {
  const analytics = new Analytics(writeKey, { host: url, flushAt: calls.length + 1, flushInterval: 60_000, retryCount: 5 })
  const make = ({ type, ...call }) =>
    new Promise((resolve) => analytics[type](call, (err) => resolve(outcome(err))))
  const [first, ...rest] = calls
  await make(first)
  const made = rest.map(make)
  await analytics.flush().catch(() => {}) // told to the callbacks
  await Promise.all(made)
  end()
}

main()
