// @jitsu/js in Node, which sends each call by itself as from a server. It has neither screen nor alias, sends the time
// of the call, and remembers who was identified.
const { url, writeKey, calls, outcome, end } = require('./report.cjs')
const { jitsuAnalytics } = require('@jitsu/js')

async function main() {
  const analytics = jitsuAnalytics({
    host: url, writeKey, s2s: process.argv[5] === 's2s', errorPolicy: 'rethrow', fetchTimeoutMs: 20_000,
  })
  for (const call of calls) {
    const { type, event, name, userId, anonymousId, groupId, properties, traits, context } = call
    if (anonymousId) analytics.setAnonymousId(anonymousId)
    const options = context && { context }
    const send = {
      page: () => analytics.page(name, properties),
      track: () => analytics.track(event, properties, options),
      identify: () => analytics.identify(userId, traits, options),
      group: () => analytics.group(groupId, traits, options),
    }[type]
    await send().then(() => outcome(), outcome)
  }
  end()
}

main()
