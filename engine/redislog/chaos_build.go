//go:build chaos

package redislog

import (
	"os"
	"strings"
)

// In the build for the chaos test, scripts can be broken in a way that the test must notice. A sabotage that no longer
// fits its script stops the program: the test would prove nothing.
func init() {
	switch os.Getenv("CHAOS_SABOTAGE") {
	case "fencing":
		sabotageFencing()
	case "lanes":
		sabotageLanes()
	}
}

// sabotageFencing lets every process decide every partition: it is alone by what it is told, its token always holds, and
// what another has claimed and not committed yet is left alone for a lease.
func sabotageFencing() {
	sabotage(&beatScript, `redis.call('ZRANGE', KEYS[1], 0, -1)}`, `{ARGV[1]}}`)
	sabotage(&ownScript, `local token = redis.call('GET', KEYS[1])`, `if true then return ARGV[1] end local token`)
	sabotage(&commitScript, `redis.call('GET', KEYS[6]) ~= ARGV[1]`, `false`)
	sabotage(&claimScript, `redis.call('GET', KEYS[3]) ~= ARGV[1]`, `false`)
	sabotage(&claimScript, ` 0, '0-0', 'COUNT', ARGV[5])[2]
else`, ` ARGV[2], '0-0', 'COUNT', ARGV[5])[2]
end
if not found or #found == 0 then`)
}

// sabotageLanes puts an action that is to be tried again behind those that waited for it.
func sabotageLanes() {
	sabotage(&recordScript, "elseif head then\n", `elseif head then
  if ARGV[5] == 'retry' then redis.call('LREM', KEYS[2], 1, ARGV[1]) redis.call('RPUSH', KEYS[2], ARGV[1]) end
`)
}

func sabotage(broken **script, text, instead string) {
	source := (*broken).source
	if !strings.Contains(source, text) {
		panic("a script has no text to sabotage: " + text)
	}
	*broken = newScript(strings.Replace(source, text, instead, 1))
}
