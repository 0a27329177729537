// @rudderstack/rudder-sdk-node. Like its ancestor it sends the first call at once; unlike it, it holds the rest back
// until that has arrived.
const { url, writeKey, calls, outcome, end } = require('./report.cjs')
const Analytics = require('@rudderstack/rudder-sdk-node')

async function main() {
  const analytics = new Analytics(writeKey, {
    dataPlaneUrl: url, flushAt: calls.length + 1, flushInterval: 60_000, retryCount: 5, logLevel: 'none',
  })
  const made = calls.map(({ type, timestamp, ...call }) =>
    new Promise((resolve) => {
      const message = timestamp ? { ...call, originalTimestamp: timestamp } : call
      analytics[type](message, (err) => resolve(outcome(err)))
    }))
  await analytics.flush().catch(() => {}) // told to the callbacks
  await Promise.all(made)
  end()
}

main()
