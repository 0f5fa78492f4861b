package sim

import "fmt"

func (b *builder) subscribe(topic *Topic, sub SubscriptionSpec) error {
	if sub.Function != "" {
		arn, err := b.destination("function:" + sub.Function)
		if err == nil {
			_, err = b.w.Subscribe(topic.ARN, "lambda", arn, sub.Raw)
		}
		return err
	}
	q, err := b.w.Queue(sub.Queue)
	if err != nil {
		return fmt.Errorf("there is no queue %q; add it to queues", sub.Queue)
	}
	allow(q)
	_, err = b.w.Subscribe(topic.ARN, "sqs", q.ARN, sub.Raw)
	return err
}

func (b *builder) functions(s Spec) error {
	for _, f := range s.Functions {
		spec := Function{Name: f.Name, Timeout: f.Timeout, Concurrency: f.Concurrency, Command: f.Command, Env: f.Env}
		for _, e := range f.Sources {
			spec.Sources = append(spec.Sources, EventSource{Queue: e.Queue, Batch: e.Batch, Window: e.Window, Report: e.Report, MaxConcurrency: e.MaxConcurrency})
		}
		if err := b.w.AddFunction(spec); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
	}
	return nil
}
