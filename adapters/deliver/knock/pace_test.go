package knock

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/adapters/deliver/knock/knocktest"
	"switchyard/engine"
)

// people makes n lanes, each of the identifies v1 to v<versions> of one user and a trigger for that user.
func people(t *testing.T, n, versions int) (lanes [][]*engine.Action) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint("user", i)
		var actions []*engine.Action
		for v := range versions {
			actions = append(actions, identify(fmt.Sprint("identify", i, "-", v), id, map[string]any{"v": fmt.Sprint("v", v+1), "n": i}))
		}
		actions = append(actions, trigger(t, fmt.Sprint("trigger", i), engine.TriggerValues{Recipients: id, Data: map[string]any{"n": i}}))
		lanes = append(lanes, actions)
	}
	return lanes
}

// best is the least time in which the published limits allow so many identifies and triggers of distinct users.
func best(identifies, triggers int) time.Duration {
	return seconds(max(float64(identifies)/(bulkLimit*bulkMost+identifyLimit), float64(triggers)/triggerLimit))
}

// A burst of 20,000 people, each identified and then notified, takes hardly longer than the limits make it.
func TestBurst(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 5_000
	}
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{
			APIKey: apiKey, Latency: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, BulkTime: 500 * time.Millisecond, BulkJitter: 500 * time.Millisecond,
		})
		y := newYard(over(t, double, Settings{}), 4000)
		lanes := people(t, n, 1)
		y.run(lanes)
		checkDelivered(t, double, lanes)
		floor := best(n, n)
		t.Logf("%v, the best is %v: %.2f times; %d postponed, %d retried, %.2f %% are 429: %v", y.took, floor,
			y.took.Seconds()/floor.Seconds(), y.postponed, y.retried, 100*limited(double), double.Calls())
		if len(y.dead) != 0 || limited(double) >= 0.01 {
			t.Errorf("%d dead, %.2f %% are 429", len(y.dead), 100*limited(double))
		}
		if !testing.Short() && y.took > floor*6/5 {
			t.Errorf("it took %v, more than 1.2 times %v", y.took, floor)
		}
		if most := 3 * n; y.postponed > most {
			t.Errorf("%d times something was postponed", y.postponed)
		}
	})
}

// The same burst with few calls at once is slower, and nothing is lost.
func TestBurstThroughFewSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 40 * time.Millisecond, BulkTime: time.Second})
		y := newYard(over(t, double, Settings{}), 16)
		lanes := people(t, 600, 1)
		y.run(lanes)
		checkDelivered(t, double, lanes)
		t.Logf("%v, %d postponed: %v", y.took, y.postponed, double.Calls())
		if len(y.dead) != 0 || y.took > 12*time.Second || double.Calls()[knocktest.Call{Endpoint: knocktest.BulkIdentify, Status: 200}] != 0 {
			t.Errorf("%d dead after %v: %v", len(y.dead), y.took, double.Calls())
		}
	})
}

// A few identifies go at once, each by its own call.
func TestFewAreNotFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, BulkTime: time.Minute})
		y := newYard(over(t, double, Settings{}), 1000)
		y.run(people(t, 50, 1))
		if y.took > time.Second || len(y.dead) != 0 || double.Calls()[knocktest.Call{Endpoint: knocktest.PutUser, Status: 200}] != 50 {
			t.Errorf("%v: %v", y.took, double.Calls())
		}
	})
}

// One user's identifies are carried out one after the other, in order, also through bulk operations that take their time.
func TestOrderOfOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{
			APIKey: apiKey, Latency: 20 * time.Millisecond, Jitter: 60 * time.Millisecond, BulkTime: 100 * time.Millisecond, BulkJitter: 5 * time.Second, Seed: 7,
		})
		y := newYard(over(t, double, Settings{}), 3000)
		lanes := people(t, 1500, 4)
		y.run(lanes)
		checkDelivered(t, double, lanes)
		if len(y.dead) != 0 {
			t.Errorf("%d dead", len(y.dead))
		}
	})
}

// Two identifies of one user that come at once from different lanes are never under way together, and lose nothing.
func TestOneUserInManyLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 20 * time.Millisecond, BulkTime: time.Second})
		y := newYard(over(t, double, Settings{}), 1000)
		var lanes [][]*engine.Action
		for i := range 400 {
			lanes = append(lanes, []*engine.Action{identify(fmt.Sprint("e", i), fmt.Sprint("user", i%200), map[string]any{fmt.Sprint("t", i): true})})
		}
		y.run(lanes)
		for i := range 400 {
			if user := double.User(fmt.Sprint("user", i%200)); user == nil || user.Traits[fmt.Sprint("t", i)] != true {
				t.Fatalf("user%d lacks t%d", i%200, i)
			}
		}
		if len(y.dead) != 0 || len(double.Complaints()) != 0 {
			t.Errorf("%v %v", y.dead, double.Complaints())
		}
	})
}

// For ten minutes nothing gets through, in whatever way; afterwards everything does.
func TestOutage(t *testing.T) {
	for _, outage := range []knocktest.Outage{knocktest.Refusing, knocktest.Failing, knocktest.FailingInHTML, knocktest.Hanging, knocktest.Losing} {
		synctest.Test(t, func(t *testing.T) {
			double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 40 * time.Millisecond, BulkTime: 500 * time.Millisecond})
			y := newYard(over(t, double, Settings{}), 2000)
			y.timeout, y.attempts = 10*time.Second, 30
			lanes := people(t, 800, 2)
			begins := 300 * time.Millisecond // with calls and a bulk operation under way
			time.AfterFunc(begins, func() { double.Switch(outage, 1) })
			time.AfterFunc(begins+10*time.Minute, func() { double.Switch(knocktest.Healthy, 0) })
			y.run(lanes)
			t.Logf("outage %d: %v, %d postponed, %d retried: %v", outage, y.took, y.postponed, y.retried, double.Calls())
			checkDelivered(t, double, lanes)
			if len(y.dead) != 0 || y.took < 10*time.Minute || y.took > 40*time.Minute {
				t.Errorf("outage %d: %d dead after %v", outage, len(y.dead), y.took)
			}
		})
	}
}

// A fifth of the calls fails, in each way: nothing is lost, nothing is doubled.
func TestUnreliable(t *testing.T) {
	outages := []knocktest.Outage{knocktest.Refusing, knocktest.Failing, knocktest.Losing}
	for seed := range uint64(6) {
		outage := outages[seed%3]
		synctest.Test(t, func(t *testing.T) {
			double := knocktest.New(knocktest.Options{
				APIKey: apiKey, Latency: 40 * time.Millisecond, Jitter: 100 * time.Millisecond, BulkTime: 2 * time.Second, BulkJitter: 5 * time.Second, Seed: seed,
			})
			double.Switch(outage, 0.2)
			y := newYard(over(t, double, Settings{}), 1000)
			y.attempts = 100
			lanes := people(t, 500, 2)
			y.run(lanes)
			checkDelivered(t, double, lanes)
			if len(y.dead) != 0 {
				t.Errorf("seed %d, outage %d: %d dead", seed, outage, len(y.dead))
			}
		})
	}
}

// A bulk that is accepted while its reply is lost does not come after what is sent later.
func TestLostReplyOfABulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 40 * time.Millisecond, BulkTime: 5 * time.Second})
		double.Switch(knocktest.Losing, 1)
		time.AfterFunc(500*time.Millisecond, func() { double.Switch(knocktest.Healthy, 0) })
		y := newYard(over(t, double, Settings{}), 1000)
		lanes := people(t, 300, 3)
		y.run(lanes)
		checkDelivered(t, double, lanes)
		if lost := double.Calls()[knocktest.Call{Endpoint: knocktest.BulkIdentify}]; len(y.dead) != 0 || lost != 1 {
			t.Errorf("%d dead, %d bulk identifies without a reply", len(y.dead), lost)
		}
	})
}

// Processes die between a call and the record of its result, at every fifth call: each workflow still runs once.
func TestDyingBeforeTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 40 * time.Millisecond, BulkTime: 500 * time.Millisecond})
		y := newYard(over(t, double, Settings{}), 1000)
		chance := rand.New(rand.NewPCG(5, 5))
		y.dies = func() bool { return chance.IntN(5) == 0 }
		lanes := people(t, 1000, 2)
		y.run(lanes)
		checkDelivered(t, double, lanes)
		if len(y.dead) != 0 || y.retried != 0 || y.forgotten < 300 {
			t.Errorf("%d dead, %d retried, %d forgotten", len(y.dead), y.retried, y.forgotten)
		}
	})
}

// An environment that is allowed less than is published, for others use it too: the pace falls and recovers.
func TestLowerLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, Limits: map[knocktest.Endpoint]int{knocktest.Trigger: 300}})
		d := over(t, double, Settings{})
		y := newYard(d, 4000)
		y.attempts = 30
		var lanes [][]*engine.Action
		for i := range 12_000 {
			lanes = append(lanes, []*engine.Action{trigger(t, fmt.Sprint("e", i), engine.TriggerValues{Recipients: map[string]any{"id": "sam"}})})
		}
		least := math.Inf(1)
		for second := range 30 {
			time.AfterFunc(seconds(float64(second)), func() { least = min(least, d.triggers.pace(time.Now())) })
		}
		y.run(lanes)
		share := limited(double)
		t.Logf("%v, the best is 40s; %.1f %% are 429, %d postponed", y.took, 100*share, y.postponed)
		if len(y.dead) != 0 || len(double.Runs()) != len(lanes) || y.took > 100*time.Second || share > 0.3 {
			t.Errorf("%d dead, %d runs after %v, %.1f %% are 429", len(y.dead), len(double.Runs()), y.took, 100*share)
		}
		time.Sleep(20 * time.Second)
		if after := d.triggers.pace(time.Now()); least > 500 || math.Abs(after-950) > 1 {
			t.Errorf("the pace was %.0f and became %.0f", least, after)
		}
	})
}

// Several processes share the limits.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, BulkTime: 500 * time.Millisecond})
		lanes := people(t, 6000, 1)
		const processes = 3
		yards, done := make([]*yard, processes), make(chan bool)
		for i := range yards {
			yards[i] = newYard(over(t, double, Settings{Share: func() int { return processes }}), 2500)
			go func() {
				yards[i].run(lanes[i*2000 : (i+1)*2000])
				done <- true
			}()
		}
		for range yards {
			<-done
		}
		checkDelivered(t, double, lanes)
		t.Logf("%v %v %v, %.2f %% are 429: %v", yards[0].took, yards[1].took, yards[2].took, 100*limited(double), double.Calls())
		for _, y := range yards {
			if len(y.dead) != 0 || y.took > 30*time.Second {
				t.Errorf("%d dead after %v", len(y.dead), y.took)
			}
		}
		if limited(double) >= 0.01 {
			t.Errorf("%.2f %% are 429", 100*limited(double))
		}
	})
}
