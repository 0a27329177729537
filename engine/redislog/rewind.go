package redislog

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// lookBack tells Options.OnRewind when what this process has claimed is not there any more, and was not deleted. It looks only
// after trouble with Redis, for then a replica that lacks the last writes may have taken over, or an old snapshot may be back.
// Nothing needs to be done about it: the partition goes on from where it is.
func (in *Inbox) lookBack(ctx context.Context) {
	troubles := in.log.troubles.Load()
	if in.claimed == "" || in.looked == troubles {
		return
	}
	pipe := in.log.client.Pipeline()
	found := pipe.XRangeN(ctx, in.keys.events(), in.claimed, in.claimed, 1)
	info := pipe.XInfoStream(ctx, in.keys.events())
	if _, err := pipe.Exec(ctx); err != nil && !redis.HasErrorPrefix(err, "ERR no such key") { // when all is gone there is no such key
		_ = in.log.failed("claim", err) // one trouble more: it is looked again
		return
	}
	in.looked = troubles
	claimed, _ := parseEntry(in.claimed)
	deleted, _ := parseEntry(info.Val().MaxDeletedEntryID) // before Redis 7 it is not known
	if len(found.Val()) > 0 || !claimed.newer(deleted) {
		return
	}
	in.log.options.OnError("rewind")
	in.log.options.OnRewind(in.environment.key, EventID(in.partition, in.claimed))
	in.claimed = ""
}
