package deploy_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/ebbhq/ebb/deploy"
)

// template is a CloudFormation template, read as far as Ebb's own go. What it does not know it refuses.
type template struct {
	Parameters map[string]struct {
		Type           string  `yaml:"Type"`
		Default        *string `yaml:"Default"`
		AllowedPattern string  `yaml:"AllowedPattern"`
	} `yaml:"Parameters"`
	Conditions map[string]yaml.Node `yaml:"Conditions"`
	Resources  yaml.Node            `yaml:"Resources"`
}

// resource is one resource of a template, its loop rolled out.
type resource struct {
	id, kind, condition string
	after               []string
	properties          *yaml.Node
	loop                map[string]string // the identifier of its Fn::ForEach and the item
}

// attributes answers Ref (with an empty name) and Fn::GetAtt.
type attributes func(id, name string) (any, error)

// stack is a template with parameters, and what it is asked through.
type stack struct {
	template
	values    map[string]any
	resources []resource
	of        attributes
}

// read reads a template with parameters; pseudo parameters have the names of the simulated cloud.
func read(shape string, parameters map[string]string) (*stack, error) {
	s := &stack{values: map[string]any{
		"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "111122223333", "AWS::StackName": "ebb",
		"AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": nil,
	}}
	if err := yaml.Load([]byte(deploy.Template(shape)), &s.template); err != nil {
		return nil, err
	}
	for name, p := range s.Parameters {
		text, given := parameters[name]
		switch {
		case !given && p.Default == nil:
			return nil, fmt.Errorf("parameter %s has no value", name)
		case !given:
			text = *p.Default
		}
		if !regexp.MustCompile("^(?:"+p.AllowedPattern+")$").MatchString(text) && p.AllowedPattern != "" {
			return nil, fmt.Errorf("parameter %s does not take %q", name, text)
		}
		s.values[name] = text
		if p.Type == "CommaDelimitedList" || strings.HasPrefix(p.Type, "List<") {
			var list []any
			for item := range strings.SplitSeq(text, ",") {
				list = append(list, strings.TrimSpace(item))
			}
			s.values[name] = list
		}
	}
	for name := range parameters {
		if _, known := s.Parameters[name]; !known {
			return nil, fmt.Errorf("there is no parameter %s", name)
		}
	}
	return s, s.unroll()
}

// unroll lists the resources, one for each item of a loop.
func (s *stack) unroll() error {
	for key, node := range pairs(&s.Resources) {
		if !strings.HasPrefix(key, "Fn::ForEach::") {
			s.add(key, node, nil)
			continue
		}
		items, err := s.value(node.Content[1], nil)
		if err != nil {
			return err
		}
		for _, item := range items.([]any) {
			loop := map[string]string{node.Content[0].Value: item.(string)}
			for id, body := range pairs(node.Content[2]) {
				s.add(logicalID(id, loop), body, loop)
			}
		}
	}
	return nil
}

// logicalID puts the item into a key: with & only its letters and digits.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
func logicalID(id string, loop map[string]string) string {
	for name, item := range loop {
		id = strings.ReplaceAll(id, "&{"+name+"}", regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(item, ""))
	}
	return id
}

func (s *stack) add(id string, node *yaml.Node, loop map[string]string) {
	r := resource{id: id, loop: loop}
	for key, v := range pairs(node) {
		switch key {
		case "Type":
			r.kind = v.Value
		case "Condition":
			r.condition = v.Value
		case "DependsOn":
			_ = v.Load(&r.after)
			if v.Kind == yaml.ScalarNode {
				r.after = []string{v.Value}
			}
		case "Properties":
			r.properties = v
		}
	}
	s.resources = append(s.resources, r)
}

func pairs(node *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

// wanted reports whether a resource's condition holds.
func (s *stack) wanted(r resource) (bool, error) {
	if r.condition == "" {
		return true, nil
	}
	return s.condition(r.condition)
}

func (s *stack) condition(name string) (bool, error) {
	node, ok := s.Conditions[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	v, err := s.value(&node, nil)
	if err != nil {
		return false, err
	}
	return v.(bool), nil
}

// value resolves a node: maps, lists, strings, numbers and truth values; nil: AWS::NoValue, which is left out.
func (s *stack) value(node *yaml.Node, loop map[string]string) (any, error) {
	if f, ok := s.functions()[node.Tag]; ok {
		return f(node, loop)
	}
	if strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return nil, fmt.Errorf("line %d: the function %s is not known here", node.Line, node.Tag)
	}
	switch node.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for key, v := range pairs(node) {
			if key == "Fn::ImportValue" { // of another stack: it exports the id of what it names
				got, err := s.value(v, loop)
				return strings.ToUpper(fmt.Sprint(got)[len("ebb-"):][:1]) + fmt.Sprint(got)[len("ebb-r"):], err
			}
			if strings.HasPrefix(key, "Fn::") {
				return nil, fmt.Errorf("line %d: %s is not known here; use the short form", node.Line, key)
			}
			got, err := s.value(v, loop)
			if err != nil {
				return nil, err
			}
			if got != nil {
				m[key] = got
			}
		}
		return m, nil
	case yaml.SequenceNode:
		return s.list(node.Content, loop)
	}
	var v any
	err := node.Load(&v)
	return v, err
}

func (s *stack) list(nodes []*yaml.Node, loop map[string]string) ([]any, error) {
	list := []any{}
	for _, n := range nodes {
		v, err := s.value(n, loop)
		if err != nil {
			return nil, err
		}
		if v != nil {
			list = append(list, v)
		}
	}
	return list, nil
}

func (s *stack) functions() map[string]func(*yaml.Node, map[string]string) (any, error) {
	return map[string]func(*yaml.Node, map[string]string) (any, error){
		"!Ref":    func(n *yaml.Node, loop map[string]string) (any, error) { return s.named(n.Value, loop) },
		"!GetAtt": func(n *yaml.Node, loop map[string]string) (any, error) { return s.named(n.Value, loop) },
		"!Sub":    s.sub,
		"!If": func(n *yaml.Node, loop map[string]string) (any, error) {
			holds, err := s.condition(n.Content[0].Value)
			if err != nil {
				return nil, err
			}
			if holds {
				return s.value(n.Content[1], loop)
			}
			return s.value(n.Content[2], loop)
		},
		"!Equals": func(n *yaml.Node, loop map[string]string) (any, error) {
			both, err := s.list(n.Content, loop)
			if err != nil {
				return nil, err
			}
			return fmt.Sprint(both[0]) == fmt.Sprint(both[1]), nil
		},
		"!Join": func(n *yaml.Node, loop map[string]string) (any, error) {
			v, err := s.value(n.Content[1], loop)
			if err != nil {
				return nil, err
			}
			var items []string
			for _, item := range v.([]any) {
				items = append(items, fmt.Sprint(item))
			}
			return strings.Join(items, n.Content[0].Value), nil
		},
		"!Not": func(n *yaml.Node, loop map[string]string) (any, error) {
			v, err := s.value(n.Content[0], loop)
			if err != nil {
				return nil, err
			}
			return !v.(bool), nil
		},
	}
}

// named is what Ref gives for a name, and Fn::GetAtt for a name with an attribute.
func (s *stack) named(name string, loop map[string]string) (any, error) {
	if item, ok := loop[name]; ok {
		return item, nil
	}
	if v, ok := s.values[name]; ok {
		return v, nil
	}
	id, attribute, _ := strings.Cut(name, ".")
	if !slices.ContainsFunc(s.resources, func(r resource) bool { return r.id == id }) {
		return nil, fmt.Errorf("there is nothing named %s", name)
	}
	return s.of(id, attribute)
}

// sub is Fn::Sub: of a string, or of a string with names of its own.
func (s *stack) sub(node *yaml.Node, loop map[string]string) (any, error) {
	text, own := node.Value, maps.Clone(loop)
	if node.Kind == yaml.SequenceNode {
		text = node.Content[0].Value
		if own == nil {
			own = map[string]string{}
		}
		for key, n := range pairs(node.Content[1]) {
			v, err := s.value(n, loop)
			if err != nil {
				return nil, err
			}
			own[key] = fmt.Sprint(v)
		}
	}
	var failed error
	out := regexp.MustCompile(`\$\{[^}]+\}`).ReplaceAllStringFunc(text, func(found string) string {
		v, err := s.named(found[2:len(found)-1], own)
		if err != nil {
			failed = err
		}
		return fmt.Sprint(v)
	})
	return out, failed
}
