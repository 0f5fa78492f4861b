package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
)

// asked is one request, and what its answer is: a part of the JSON, or the code of a refusal.
type asked struct{ operation, body, want string }

// asks makes the requests one after the other; $1 in what is wanted is any text.
func asks(t *testing.T, api *API, service, target string, all []asked) {
	t.Helper()
	h := api.Handler()
	for _, a := range all {
		w := post(h, service, target+"."+a.operation, a.body)
		got := map[string]any{}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s %s: %v in %s", a.operation, a.body, err, w.Body)
		}
		if w.Code != 200 {
			if refused := strings.TrimSuffix(got["__type"].(string)+": "+got["message"].(string), ": "); refused != a.want || w.Code != 400 {
				t.Errorf("%s %s\nrefused with %d %s\nwant %s", a.operation, a.body, w.Code, refused, a.want)
			}
			continue
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(a.want), &want); err != nil || !holds(got, want) {
			t.Errorf("%s %s\nanswered %s\nwant     %s", a.operation, a.body, strings.TrimSpace(w.Body.String()), a.want)
		}
	}
}

// holds reports whether an answer has what is wanted. What is wanted to be null must not be there.
func holds(got, want any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		return string(a) == string(b)
	}
	g, ok := got.(map[string]any)
	for name, of := range w {
		if ok = ok && holds(g[name], of); !ok {
			return false
		}
	}
	return ok
}

// TestParameters holds what the API reference of SSM says of GetParameter, PutParameter and DeleteParameter.
func TestParameters(t *testing.T) {
	world, err := sim.Build(sim.Spec{Parameters: []sim.ParameterSpec{
		{Name: "/ebb/slack", Value: "hidden"}, {Name: "plain", Type: "String", Value: "v"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:ssm:eu-west-1:111122223333:parameter/"
	exists := "ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
	const decrypted = `{"Name":"/ebb/slack","WithDecryption":true}`
	asks(t, New(Config{World: world, Strict: true}), "ssm", "AmazonSSM", []asked{
		{"GetParameter", decrypted, `{"Parameter":{"ARN":"` + arn + `ebb/slack","DataType":"text","LastModifiedDate":1795251600,` +
			`"Name":"/ebb/slack","Type":"SecureString","Value":"hidden","Version":1,"Selector":null}}`},
		{"GetParameter", `{"Name":"` + arn + `ebb/slack","WithDecryption":true}`, `{"Parameter":{"Name":"/ebb/slack","Value":"hidden"}}`},
		{"GetParameter", `{"Name":"plain"}`, `{"Parameter":{"ARN":"` + arn + `plain","Type":"String","Value":"v"}}`},
		{"GetParameter", `{"Name":"/ebb/Slack"}`, "ParameterNotFound"},
		{"GetParameter", `{"Name":"/ebb"}`, "ParameterNotFound"},
		{"GetParameter", `{}`,
			"ValidationException: 1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{"PutParameter", `{"Name":"/ebb/slack","Value":"newer"}`, exists},
		{"PutParameter", `{"Name":"/ebb/slack","Value":"newer","Overwrite":true}`, `{"Version":2,"Tier":"Standard"}`},
		{"GetParameter", decrypted, `{"Parameter":{"Value":"newer","Version":2,"Type":"SecureString"}}`},
		{"GetParameter", `{"Name":"/ebb/slack:1","WithDecryption":true}`,
			`{"Parameter":{"Value":"hidden","Version":1,"Selector":":1","Name":"/ebb/slack"}}`},
		{"GetParameter", `{"Name":"/ebb/slack:3"}`,
			"ParameterVersionNotFound: Systems Manager could not find version 3 of /ebb/slack. Verify the version and try again."},
		{"GetParameter", `{"Name":"/none:1"}`, "ParameterNotFound"},
		{"PutParameter", `{"Name":"/a/b","Value":"x"}`, "ValidationException: A parameter type is required when you create a parameter."},
		{"PutParameter", `{"Name":"/a/b","Value":"x","Type":"StringList"}`, `{"Version":1}`},
		{"DeleteParameter", `{"Name":"/a/b"}`, `{}`},
		{"DeleteParameter", `{"Name":"/a/b"}`, "ParameterNotFound"},
	})
	w := post(New(Config{World: world}).Handler(), "ssm", "AmazonSSM.GetParameter", `{"Name":"/ebb/slack"}`)
	if w.Code != 200 || strings.Contains(w.Body.String(), "newer") {
		t.Errorf("without decryption: %d %s", w.Code, w.Body)
	}
	for _, name := range []string{"a b", "aws-x", "/SSM/x", "a:1"} {
		if _, err := world.PutParameter(name, "String", "v", false); err == nil || !strings.HasPrefix(err.Error(), "ValidationException") {
			t.Errorf("parameter %q: %v", name, err)
		}
	}
	if _, err := world.PutParameter("long", "String", strings.Repeat("x", 4097), false); err == nil {
		t.Error("a value of 4,097 characters is taken")
	}
}

// TestSecretValues holds what the API reference of Secrets Manager says of its operations here.
func TestSecretValues(t *testing.T) {
	world, err := sim.Build(sim.Spec{Secrets: []sim.SecretSpec{
		{Name: "ebb/slack", Value: "hidden"}, {Name: "bytes", Binary: "AAEC"}, {Name: "db-abc123", Value: "x"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
	api := New(Config{World: world, Strict: true})
	arn, first := world.Secrets()[0].ARN, world.Secrets()[0].Versions[0].ID
	if len(arn) != len(prefix+"ebb/slack-")+6 {
		t.Errorf("the ARN is %s", arn)
	}
	const notFound = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
	const token = "01234567-89ab-cdef-0123-456789abcdef"
	whole := `{"ARN":"` + arn + `","Name":"ebb/slack","VersionId":"` + first + `","SecretString":"hidden","SecretBinary":null,` +
		`"VersionStages":["AWSCURRENT"],"CreatedDate":1795251600}`
	asks(t, api, "secretsmanager", "secretsmanager", []asked{
		{"GetSecretValue", `{"SecretId":"ebb/slack"}`, whole},
		{"GetSecretValue", `{"SecretId":"` + arn + `"}`, whole},
		{"GetSecretValue", `{"SecretId":"` + prefix + `ebb/slack"}`, whole},
		{"GetSecretValue", `{"SecretId":"bytes"}`, `{"SecretBinary":"AAEC","SecretString":null}`},
		{"GetSecretValue", `{"SecretId":"db-abc123"}`, `{"SecretString":"x"}`},
		{"GetSecretValue", `{"SecretId":"` + prefix + `db-abc123"}`, notFound}, // AWS takes it for a whole ARN
		{"GetSecretValue", `{"SecretId":"` + arn[len(prefix):] + `"}`, notFound},
		{"GetSecretValue", `{"SecretId":"ebb"}`, notFound},
		{"GetSecretValue", `{"SecretId":"ebb/slack","VersionStage":"AWSPREVIOUS"}`,
			"ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS"},
		{"PutSecretValue", `{"SecretId":"ebb/slack"}`, "InvalidParameterException: You must provide either SecretString or SecretBinary."},
		{"PutSecretValue", `{"SecretId":"ebb/slack","SecretString":"newer","ClientRequestToken":"` + token + `"}`,
			`{"ARN":"` + arn + `","Name":"ebb/slack","VersionId":"` + token + `","VersionStages":["AWSCURRENT"]}`},
		{"PutSecretValue", `{"SecretId":"ebb/slack","SecretString":"newer","ClientRequestToken":"` + token + `"}`, `{"VersionId":"` + token + `"}`},
		{"PutSecretValue", `{"SecretId":"ebb/slack","SecretString":"other","ClientRequestToken":"` + token + `"}`,
			"ResourceExistsException: You can't use ClientRequestToken " + token + " because that value is already in use for a version of secret " +
				arn + "."},
		{"GetSecretValue", `{"SecretId":"ebb/slack"}`, `{"SecretString":"newer"}`},
		{"GetSecretValue", `{"SecretId":"ebb/slack","VersionStage":"AWSPREVIOUS"}`,
			`{"SecretString":"hidden","VersionStages":["AWSPREVIOUS"]}`},
		{"GetSecretValue", `{"SecretId":"ebb/slack","VersionId":"` + first + `"}`, `{"SecretString":"hidden"}`},
		{"GetSecretValue", `{"SecretId":"ebb/slack","VersionId":"` + first + `","VersionStage":"AWSCURRENT"}`,
			"InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId."},
		{"CreateSecret", `{"Name":"ebb/slack","SecretString":"x"}`,
			"ResourceExistsException: The operation failed because the secret ebb/slack already exists."},
		{"CreateSecret", `{"Name":"empty"}`, `{"Name":"empty","VersionId":null}`},
		{"GetSecretValue", `{"SecretId":"empty"}`,
			"ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"},
		{"DeleteSecret", `{"SecretId":"ebb/slack","RecoveryWindowInDays":6}`,
			"InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."},
		{"DeleteSecret", `{"SecretId":"ebb/slack","RecoveryWindowInDays":7}`,
			`{"ARN":"` + arn + `","Name":"ebb/slack","DeletionDate":1795856400}`},
		{"GetSecretValue", `{"SecretId":"ebb/slack"}`,
			"InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."},
		{"CreateSecret", `{"Name":"ebb/slack","SecretString":"x"}`,
			"InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion."},
		{"DeleteSecret", `{"SecretId":"bytes","ForceDeleteWithoutRecovery":true}`, `{"Name":"bytes"}`},
		{"GetSecretValue", `{"SecretId":"bytes"}`, notFound},
		{"DeleteSecret", `{"SecretId":"bytes"}`, notFound},
	})
	world.Advance(world.Now().Add(7 * 24 * time.Hour))
	asks(t, api, "secretsmanager", "secretsmanager", []asked{
		{"GetSecretValue", `{"SecretId":"ebb/slack"}`, notFound},
		{"CreateSecret", `{"Name":"ebb/slack","SecretBinary":"AAEC"}`, `{"Name":"ebb/slack"}`},
	})
}

// TestDeniedSecrets holds that IAM is asked about the parameter and the secret, and in which words it refuses.
func TestDeniedSecrets(t *testing.T) {
	world, err := sim.Build(sim.Spec{
		Parameters: []sim.ParameterSpec{{Name: "/ebb/slack", Value: "v"}, {Name: "/other", Value: "v"}},
		Secrets:    []sim.SecretSpec{{Name: "ebb/slack", Value: "v"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	api, arn := New(Config{World: world}), world.Secrets()[0].ARN
	api.Attach("operator", allowing(t, `"Action":"ssm:GetParameter","Resource":"arn:aws:ssm:*:*:parameter/ebb/*"`))
	refusal := func(action, resource string) string {
		return "AccessDeniedException: User: arn:aws:iam::111122223333:user/operator is not authorized to perform: " + action +
			" on resource: " + resource + " because no identity-based policy allows the " + action + " action"
	}
	asks(t, api, "ssm", "AmazonSSM", []asked{
		{"GetParameter", `{"Name":"/ebb/slack:1"}`, `{"Parameter":{"Name":"/ebb/slack"}}`},
		{"GetParameter", `{"Name":"/other"}`, refusal("ssm:GetParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/other")},
		{"GetParameter", `{"Name":"/none:1"}`, refusal("ssm:GetParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/none")},
		{"DeleteParameter", `{"Name":"/ebb/slack"}`, refusal("ssm:DeleteParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/ebb/slack")},
	})
	asks(t, api, "secretsmanager", "secretsmanager", []asked{
		{"GetSecretValue", `{"SecretId":"ebb/slack"}`, refusal("secretsmanager:GetSecretValue", arn)},
	})
	api.Attach("operator", allowing(t, `"Action":"secretsmanager:*","Resource":"arn:aws:secretsmanager:*:*:secret:ebb/slack-??????"`))
	asks(t, api, "secretsmanager", "secretsmanager", []asked{{"GetSecretValue", `{"SecretId":"ebb/slack"}`, `{"SecretString":"v"}`}})
}

// A world says which of its parameters and secrets is wrong, and shows no value.
func TestWrongSecretsOfAWorld(t *testing.T) {
	const give = ": give it a value, or bytes in base64 as binary"
	for want, spec := range map[string]sim.Spec{
		`parameter "/a": give it a name and a value`: {Parameters: []sim.ParameterSpec{{Name: "/a"}}},
		`secret "s"` + give:                          {Secrets: []sim.SecretSpec{{Name: "s"}}},
		`secret "b64"` + give:                        {Secrets: []sim.SecretSpec{{Name: "b64", Binary: "%very-secret"}}},
		`secret "": ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, ` +
			`or any of the following: -/_+=.@!`: {Secrets: []sim.SecretSpec{{Value: "very-secret"}}},
	} {
		if _, err := sim.Build(spec); err == nil || err.Error() != "build the world: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
