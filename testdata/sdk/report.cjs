// What every script here shares: its arguments, the calls to make, and the report that it ends with.
const fs = require('node:fs')

const [url, writeKey, callsFile] = process.argv.slice(2)
const calls = JSON.parse(fs.readFileSync(callsFile, 'utf8'))

// An SDK is told a time as a Date.
for (const call of calls) {
  if (call.timestamp) call.timestamp = new Date(call.timestamp)
}

const report = { succeeded: 0, failures: [] }

// outcome is the callback of one call.
function outcome(err) {
  if (err) report.failures.push(String(err.message ?? err))
  else report.succeeded++
}

function end() {
  // Written whole before the end: process.exit does not wait for a pipe.
  fs.writeSync(1, JSON.stringify(report) + '\n')
  process.exit(report.failures.length === 0 && report.succeeded === calls.length ? 0 : 1)
}

process.on('unhandledRejection', outcome)
process.on('beforeExit', end) // an SDK that forgets a callback leaves nothing to wait for

module.exports = { url, writeKey, calls, outcome, end }
