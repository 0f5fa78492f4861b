package config

import (
	"strings"
	"testing"
)

// What AWS takes as a name is taken here too: an Ebb that refuses the hook or the cluster that somebody has does not start.
func TestEveryNameThatAWSTakes(t *testing.T) {
	long := strings.Repeat("n", 255)
	queue := "https://sqs.eu-west-1.amazonaws.com/111122223333/"
	for key, names := range map[string]struct{ takes, refuses []string }{
		"region": {[]string{"eu-west-1", "us-gov-west-1", "ap-southeast-5", "xx-north-12"}, []string{"eu-west", "EU-WEST-1", "eu-west-1a"}},
		"hook":   {[]string{"ebb_drain-1", "team/ebb", long}, []string{long + "n", "a b", "a.b"}},
		"journal": {[]string{"dynamodb://" + long, "dynamodb://ebb", "dynamodb://a.b-c_D9"},
			[]string{"dynamodb://" + long + "n", "dynamodb://eb"}},
		"queue": {[]string{queue + "ebb_q-1", queue + "ebb.fifo", queue + long[:80], "http://127.0.0.1:4600/111122223333/ebb"},
			[]string{queue + long[:81], queue + "a.b", queue[:len(queue)-2] + "/ebb"}},
		"cluster": {[]string{"prod_1-A", long}, []string{long + "n", "a/b", "a b"}},
	} {
		read := func(name string) error {
			text := key + ": " + name
			if key == "cluster" {
				text = "groups: [{match: web, cluster: " + name + "}]"
			}
			_, err := parse("ebb.yaml", []byte(text), vars(nil), nil)
			return err
		}
		for _, name := range names.takes {
			if err := read(name); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		for _, name := range names.refuses {
			if err := read(name); err == nil {
				t.Errorf("%s: %s is taken", key, name)
			}
		}
	}
}
