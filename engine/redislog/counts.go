package redislog

// The counts of a partition are running totals, each changed by the script that changes what it counts:
//
//	accepted                                 events appended
//	matched unmatched duplicate invalid      events decided, by outcome
//	removed:<outcome> removed:pending        events removed, trimmed or deleted with their user, by what they were
//	planned                                  actions that decisions asked for
//	open                                     actions that have not ended
//	succeeded skipped dead                   actions that have ended, by status; one that is run again is open again
//	dropped:<status>                         actions removed, likewise, by what they were
//
// ledger.go has the equations between them and what is there.

// counting begins a script that counts: note adds to a total, and counted stores all that was noted, each total once
// however many entries the script works on.
const counting = `
local tally = {}
local function note(field, n) tally[field] = (tally[field] or 0) + (n or 1) end
local function counted(key)
  for field, n in pairs(tally) do if n ~= 0 then redis.call('HINCRBY', key, field, n) end end
end
local function unended(status) return status == 'waiting' or status == 'retrying' end
`
