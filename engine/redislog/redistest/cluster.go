package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// shards of a Cluster, each a master and a replica.
	shards = 3
	// nodeTimeout is after how long without an answer a node of a Cluster is taken for dead.
	nodeTimeout = 2 * time.Second
	slots       = 16_384
	// busOffset is where a node listens for the other nodes, above its port.
	busOffset = 10_000
)

// Cluster is three masters with a replica each. When a master dies its replica takes over within about two times the
// node time-out, which is two seconds.
type Cluster struct {
	t     testing.TB
	Nodes []*Server
}

// StartReplicated starts a cluster of six servers with further arguments of redis-server, and ends it with the test. Their
// files are written before they answer, but not synced: what they answered is there after Kill, not after a power failure.
func StartReplicated(t testing.TB, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	args = append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", fmt.Sprint(nodeTimeout.Milliseconds()),
		"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0", "--appendfsync", "everysec",
	}, args...)
	for range 2 * shards {
		c.Nodes = append(c.Nodes, startOn(t, portWithBus(t), args...))
	}
	for i, node := range c.Nodes {
		node.must(fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
		if i < shards {
			node.must(fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/shards, (i+1)*slots/shards-1))
		}
		if i > 0 {
			c.Nodes[0].must(fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d", node.port))
		}
	}
	c.await("all know each other", func() bool {
		return c.all(func(node *Server) bool {
			return strings.Contains(node.say("CLUSTER INFO"), fmt.Sprintf("cluster_known_nodes:%d", 2*shards))
		})
	})
	for i := range shards {
		c.Nodes[shards+i].must("CLUSTER REPLICATE " + c.Nodes[i].name())
	}
	c.AwaitHealthy()
	return c
}

// URL is where a log finds the cluster.
func (c *Cluster) URL() string {
	var hosts []string
	for _, node := range c.Nodes {
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", node.port))
	}
	return "redis+cluster://" + strings.Join(hosts, ",")
}

// Masters are the nodes that serve slots, by their own account.
func (c *Cluster) Masters() (masters []*Server) {
	for _, node := range c.Nodes {
		if len(node.spans()) > 0 {
			masters = append(masters, node)
		}
	}
	return masters
}

// MasterOf is the node that has a key, by its own account; nil while there is none.
func (c *Cluster) MasterOf(key string) *Server {
	for _, node := range c.Nodes {
		if slot, ok := node.number("CLUSTER KEYSLOT " + key); ok && node.serves(slot) {
			return node
		}
	}
	return nil
}

// AwaitMasters waits until all slots have masters that live, without one that does not count.
func (c *Cluster) AwaitMasters(without *Server) {
	c.t.Helper()
	c.await("others are the masters", func() bool {
		masters := 0
		for _, node := range c.Nodes {
			if node != without && len(node.spans()) > 0 {
				masters++
			}
		}
		return masters == shards
	})
}

// AwaitMaster waits until a key has a master that lives.
func (c *Cluster) AwaitMaster(key string) *Server {
	c.t.Helper()
	var master *Server
	c.await("somebody is the master of "+key, func() bool { master = c.MasterOf(key); return master != nil })
	return master
}

// ReplicaOf is a replica that is in step with a master; nil when there is none.
func (c *Cluster) ReplicaOf(master *Server) *Server {
	for _, node := range c.Nodes {
		if state := node.say("INFO replication"); strings.Contains(state, "role:slave") &&
			strings.Contains(state, fmt.Sprintf("master_port:%d\r\n", master.port)) && strings.Contains(state, "master_link_status:up") {
			return node
		}
	}
	return nil
}

// AwaitHealthy waits until all nodes are up and each master has its replica in step.
func (c *Cluster) AwaitHealthy() {
	c.t.Helper()
	c.await("the cluster is healthy", func() bool {
		masters := 0
		return c.all(func(node *Server) bool {
			if !strings.Contains(node.say("CLUSTER INFO"), "cluster_state:ok") {
				return false
			}
			state := node.say("INFO replication")
			if strings.Contains(state, "role:master") {
				masters++
				return strings.Contains(state, "state=online")
			}
			return strings.Contains(state, "master_link_status:up")
		}) && masters == shards
	})
}

// HandOver has a replica become the master of a key's shard in good order: it has all that the master has. A busy machine lets
// the nodes give up in the middle; then it is asked again.
func (c *Cluster) HandOver(key string, next *Server) {
	c.t.Helper()
	var asked time.Time
	c.await("a replica has become the master", func() bool {
		if c.MasterOf(key) == next {
			return true
		}
		if time.Since(asked) > 7*time.Second { // they give up after five
			asked = time.Now()
			next.say("CLUSTER FAILOVER")
		}
		return false
	})
}

func (c *Cluster) all(holds func(*Server) bool) bool {
	for _, node := range c.Nodes {
		if !holds(node) {
			return false
		}
	}
	return true
}

func (c *Cluster) await(what string, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("waited too long until %s:\n%s", what, c.Nodes[0].say("CLUSTER NODES"))
		}
	}
}

// serves reports whether a node is the master of a slot, by its own account.
func (s *Server) serves(slot int) bool {
	for _, span := range s.spans() {
		var low, high int
		switch n, _ := fmt.Sscanf(span, "%d-%d", &low, &high); {
		case n == 1 && slot == low, n == 2 && low <= slot && slot <= high:
			return true
		}
	}
	return false
}

// spans are the slots of which a node is the master, by its own account: "0-5460", "7000".
func (s *Server) spans() []string {
	for line := range strings.SplitSeq(s.say("CLUSTER NODES"), "\n") {
		if fields := strings.Fields(line); len(fields) > 8 && fields[2] == "myself,master" {
			return fields[8:]
		}
	}
	return nil
}

// name is the node's name in its cluster.
func (s *Server) name() string {
	_, name, _ := strings.Cut(s.say("CLUSTER MYID"), "\r\n")
	return strings.TrimSpace(name)
}

// number is the reply to a command that answers one.
func (s *Server) number(command string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(s.say(command), ":")))
	return n, err == nil
}

// must sends a command that answers OK.
func (s *Server) must(command string) {
	s.t.Helper()
	if reply := s.say(command); !strings.HasPrefix(reply, "+OK") {
		s.t.Fatalf("%s: %q", command, reply)
	}
}

// portWithBus is a free port whose bus port is free as well; see FreePort.
func portWithBus(t testing.TB) int {
	t.Helper()
	const lowest, above = 20_000, 22_700
	for range 100 {
		port := lowest + rand.IntN(above-lowest)
		if isFree(port) && isFree(port+busOffset) {
			return port
		}
	}
	t.Fatal("no port with a bus port is free")
	return 0
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}
