package engine

import (
	"context"
	"time"
)

// Trimmer removes what is older than an environment's retention, a small step at a time; it returns how many entries
// this step removed. It never touches what is undecided or not yet ended.
type Trimmer interface {
	Trim(ctx context.Context, environment string, now time.Time) (removed int, err error)
}

// janitor trims one environment's logs once a minute.
type janitor struct {
	environment string
	trimmer     Trimmer
	trouble     *trouble
	now         func() time.Time
}

const janitorEvery = time.Minute

func (j *janitor) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, janitorEvery)
		for ctx.Err() == nil {
			removed, err := j.trimmer.Trim(ctx, j.environment, j.now())
			if err != nil {
				j.trouble.note(ctx, j.environment, "old entries can not be trimmed", err)
			}
			if err != nil || removed == 0 {
				break
			}
		}
	}
}
