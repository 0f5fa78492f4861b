package wire

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/sim"
)

// FuzzHandler sends anything to any operation: it never panics, and the answer is always one that the protocol knows.
func FuzzHandler(f *testing.F) {
	seeds := []struct{ service, target, body string }{
		{"autoscaling", "", "Action=CompleteLifecycleAction&AutoScalingGroupName=demo-asg&InstanceId=i-1&LifecycleActionResult=CONTINUE" +
			"&LifecycleHookName=ebb-drain&Version=2011-01-01"},
		{"autoscaling", "", "Action=DescribeAutoScalingInstances&InstanceIds.member.1=i-1&InstanceIds.member.2=i-2&MaxRecords=1"},
		{"autoscaling", "", "Action=PutLifecycleHook&AutoScalingGroupName=demo-asg&LifecycleHookName=x&HeartbeatTimeout=30" +
			"&LifecycleTransition=autoscaling:EC2_INSTANCE_TERMINATING"},
		{"autoscaling", "", "Action=DescribeAutoScalingGroups&Filters.member.1.Name=tag:x&Filters.member.1.Values.member.1=y&NextToken=eA=="},
		{"elasticloadbalancing", "", "Action=RegisterTargets&TargetGroupArn=arn:x&Targets.member.1.Id=10.0.0.1&Targets.member.1.Port=8080"},
		{"ec2", "", "Action=DescribeInstances&Filter.1.Name=instance-state-name&Filter.1.Value.1=running&InstanceId.1=i-1"},
		{"ec2", "", "Action=StopInstances&InstanceId.1=i-1&InstanceId.2=i-1"},
		{"ecs", "AmazonEC2ContainerServiceV20141113.UpdateContainerInstancesState", `{"cluster":"demo","containerInstances":["ci1"],"status":"DRAINING"}`},
		{"ecs", "AmazonEC2ContainerServiceV20141113.ListContainerInstances", `{"cluster":"demo","filter":"ec2InstanceId in ['i-1'] and runningTasksCount > 0"}`},
		{"ecs", "AmazonEC2ContainerServiceV20141113.RunTask", `{"cluster":"demo","taskDefinition":"web:1","count":-1,"clientToken":""}`},
		{"sqs", "AmazonSQS.SendMessage", `{"QueueUrl":"http://x/ebb","MessageBody":"\u0000","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AA=="}}}`},
		{"sqs", "AmazonSQS.SetQueueAttributes", `{"QueueUrl":"ebb","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"x\",\"maxReceiveCount\":[]}"}}`},
		{"sqs", "", "Action=ReceiveMessage&QueueUrl=ebb&AttributeName.1=All&MaxNumberOfMessages=10"},
		{"sqs", "", "Action=SendMessageBatch&QueueUrl=ebb&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b"},
		{"sns", "", "Action=Publish&TopicArn=x&Message=y"},
		{"events", "AWSEvents.PutRule", `{"Name":"x","EventPattern":"{\"source\":[{\"prefix\":\"aws\"}]}"}`},
		{"events", "AWSEvents.PutEvents", `{"Entries":[{"Source":"x","DetailType":"y","Detail":"{","Time":1e300}]}`},
		{"sts", "", "Action=GetCallerIdentity"},
		{"monitoring", "GraniteServiceVersion20100801.PutMetricAlarm", `{"AlarmName":"a","Metrics":[{"Id":"e1","Expression":"IF(m1>1,1,FILL(m1,0))"},` +
			`{"Id":"m1","ReturnData":false,"MetricStat":{"Metric":{"Namespace":"x","MetricName":"y"},"Period":60,"Stat":"p99"}}],"Threshold":1,"EvaluationPeriods":1,` +
			`"ComparisonOperator":"GreaterThanThreshold"}`},
		{"monitoring", "GraniteServiceVersion20100801.GetMetricData", `{"StartTime":0,"EndTime":1e10,"MetricDataQueries":[{"Id":"e1","Expression":"2","Period":1}]}`},
		{"monitoring", "GraniteServiceVersion20100801.PutCompositeAlarm", `{"AlarmName":"a","AlarmRule":"NOT (ALARM(b) AND AT_LEAST(50%, OK, (\"c\")))"}`},
		{"monitoring", "GraniteServiceVersion20100801.PutAlarmMuteRule", `{"Name":"m","MuteTargets":{"AlarmNames":["a"]},` +
			`"Rule":{"Schedule":{"Expression":"cron(0 2 * * SUN-MON)","Duration":"P1DT1H","Timezone":"UTC"}}}`},
		{"monitoring", "", "Action=PutMetricData&Namespace=x&MetricData.member.1.MetricName=y&MetricData.member.1.Value=NaN"},
	}
	for _, s := range seeds {
		f.Add(s.service, s.target, s.body)
	}
	f.Fuzz(func(t *testing.T, service, target, body string) {
		if strings.ContainsAny(service+target, "\r\n/, ") {
			return
		}
		world, err := sim.Build(sim.Demo())
		if err != nil {
			t.Fatal(err)
		}
		w := post(New(Config{World: world}).Handler(), service, target, body)
		if w.Code < 200 || w.Code > 599 {
			t.Fatalf("status %d", w.Code)
		}
		if strings.Contains(w.Header().Get("Content-Type"), "json") {
			var answer map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code >= 400 && (answer["__type"] == nil || answer["message"] == nil) {
				t.Fatalf("status %d with %s: %v", w.Code, w.Body, err)
			}
			return
		}
		var answer struct{ XMLName xml.Name }
		if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("status %d with %s: %v", w.Code, w.Body, err)
		}
		if root := answer.XMLName.Local; w.Code >= 400 && root != "ErrorResponse" && root != "Response" {
			t.Fatalf("status %d with root %s", w.Code, root)
		}
	})
}
