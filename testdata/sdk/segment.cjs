// @segment/analytics-node: one batch, sent when it is closed.
const { url, writeKey, calls, outcome, end } = require('./report.cjs')
const { Analytics } = require('@segment/analytics-node')

async function main() {
  const analytics = new Analytics({ writeKey, host: url, flushAt: calls.length + 1, flushInterval: 60_000 })
  analytics.on('error', (err) => outcome(err.reason ?? err))
  for (const { type, ...call } of calls) {
    // A failed delivery is told by the event above as well, so that it must not be counted twice.
    analytics[type](call, (err) => err || outcome())
  }
  await analytics.closeAndFlush({ timeout: 60_000 })
  end()
}

main()
