package story

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/ebbhq/ebb/internal/iam"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// beyond is the statement that allows what the policy of ebb iam does not, so that the story goes on and the call is seen.
const beyond = "Beyond"

// runAllowed runs a story and holds that the policy of ebb iam allows every call. The policies change nothing else.
func runAllowed(t *testing.T, s Scenario) (Result, error) {
	t.Helper()
	policy, err := json.Marshal(iam.Policy(s.Ebb.Needs()))
	if err != nil {
		return Result{}, err
	}
	allowed, errAllowed := wire.ParsePolicy(policy)
	rest, errRest := wire.ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":{"Sid":"` + beyond + `","Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err := errors.Join(errAllowed, errRest); err != nil {
		return Result{}, err
	}
	res, err := Run(s, allowed, rest)
	for c := range res.Checks {
		if c.Statement == beyond {
			t.Errorf("seed %d %s: the policy of ebb iam does not allow %s on %s in %q; if Ebb is to make this call, run make iam",
				s.Seed, s.Name, c.Action, c.Resource, c.Cluster)
		}
	}
	return res, err
}
