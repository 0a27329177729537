package redislog

import (
	"context"
	"time"
)

// rewindWindow is how old an event may be, in the time of its id, to be missed: an older one may have been trimmed.
const rewindWindow = 10 * time.Minute

// lookBack tells Options.OnRewind when what this process has claimed is not there any more. It looks only after trouble with
// Redis, for then a replica that lacks the last writes may have taken over, or an old snapshot may be back. Nothing needs to
// be done about it: the partition goes on from where it is.
func (in *Inbox) lookBack(ctx context.Context) {
	troubles := in.log.troubles.Load()
	if in.claimed == "" || in.looked == troubles {
		return
	}
	found, err := in.log.client.XRangeN(ctx, in.keys.events(), in.claimed, in.claimed, 1).Result()
	if err != nil {
		_ = in.log.failed("claim", err) // one trouble more: it is looked again
		return
	}
	in.looked = troubles
	at, _ := parseEntry(in.claimed)
	if len(found) > 0 || in.log.clock.now().Sub(time.UnixMilli(int64(at.ms))) > rewindWindow {
		return
	}
	in.log.options.OnError("rewind")
	in.log.options.OnRewind(in.environment.key, EventID(in.partition, in.claimed))
	in.claimed = ""
}
