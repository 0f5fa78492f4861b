package cli

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/doctor"
)

// What stands in comments in the configuration that ebb init writes is right once the signs are taken away, and with the flags it is there.
func TestTheConfigurationThatInitWrites(t *testing.T) {
	const topic = "arn:aws:sns:eu-west-1:111122223333:ops"
	for _, shape := range []string{shapeLambda, shapeService, shapeServe} {
		for _, told := range []bool{false, true} {
			s := setup{
				initFlags: initFlags{shape: shape, name: "ebb"}, partition: "aws", region: "eu-west-1", account: "111122223333",
				managed: []doctor.Managed{{Match: "web", Cluster: "prod"}},
			}
			if told {
				s.noticeTopic, s.emf = topic, true
			}
			for _, commented := range []bool{true, false} {
				text := s.config()
				want, metrics, admin := []config.Notify(nil), "", ""
				if told {
					want, metrics = []config.Notify{{Name: "sns", SNS: topic}}, config.EMF
				}
				if !commented {
					text = regexp.MustCompile(`(?m)^( *)# ?( *)((?:- )?(?:notify|sns|digest|metrics|admin):)`).ReplaceAllString(text, "$1$2$3")
					want, metrics = []config.Notify{{Name: "sns", SNS: topic, Digest: "08:00"}}, config.EMF
					if shape == shapeServe {
						admin = "127.0.0.1:9092"
					}
				}
				c, err := config.Load("", func(name string) string { return map[string]string{"EBB_CONFIG_TEXT": text}[name] }, nil)
				if err != nil {
					t.Fatalf("%s: %v in\n%s", shape, err, text)
				}
				if d := cmp.Diff(want, c.Notify); d != "" || c.Metrics != metrics || c.Admin != admin || len(c.Groups) != 1 {
					t.Errorf("%s, told %t, commented %t: metrics %q, admin %q, notify %s in\n%s", shape, told, commented, c.Metrics, c.Admin, d, text)
				}
			}
		}
	}
}
