// Command go-consumer reads a topic as the tutorial's consumer does, which decodes every value into
// one struct, logs what does not decode, and shows the rest. Here each is a line of JSON.
//
// It reads all partitions from their start and ends when it has read what was there when it began,
// and has shown as many as are expected. Exit codes: 1 a blank notification would have been shown,
// 2 anything else went wrong.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"kafka-notify/tools/notification"
)

func main() {
	broker := flag.String("broker", "localhost:9092", "brokers, separated by commas")
	topic := flag.String("topic", "notifications", "topic")
	count := flag.Int("count", 0, "how many notifications are expected, at least")
	timeout := flag.Duration("timeout", 30*time.Second, "how long it may take")
	flag.Parse()

	log.SetFlags(0)
	consumer, err := open(strings.Split(*broker, ","), *topic)
	if err == nil {
		err = consumer.showAll(*count, *timeout)
	}
	if err != nil {
		log.Println(err)
		os.Exit(2)
	}
	if consumer.blanks > 0 {
		os.Exit(1)
	}
}

type consumer struct {
	messages chan *sarama.ConsumerMessage
	// Where each partition ended at the beginning, until it is read that far.
	ends   map[int32]int64
	shown  int
	blanks int
}

func open(brokers []string, topic string) (*consumer, error) {
	client, err := sarama.NewClient(brokers, sarama.NewConfig())
	if err != nil {
		return nil, err
	}
	reader, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	partitions, err := client.Partitions(topic)
	if err != nil {
		return nil, err
	}
	c := &consumer{messages: make(chan *sarama.ConsumerMessage), ends: map[int32]int64{}}
	for _, partition := range partitions {
		if err := c.open(client, reader, topic, partition); err != nil {
			return nil, fmt.Errorf("partition %d: %w", partition, err)
		}
	}
	return c, nil
}

func (c *consumer) open(
	client sarama.Client, reader sarama.Consumer, topic string, partition int32,
) error {
	start, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return err
	}
	if start < end {
		c.ends[partition] = end
	}
	messages, err := reader.ConsumePartition(topic, partition, start)
	if err != nil {
		return err
	}
	go func() {
		for message := range messages.Messages() {
			c.messages <- message
		}
	}()
	return nil
}

func (c *consumer) showAll(count int, timeout time.Duration) error {
	deadline := time.After(timeout)
	for len(c.ends) > 0 || c.shown < count {
		select {
		case message := <-c.messages:
			c.show(message)
			if message.Offset+1 >= c.ends[message.Partition] {
				delete(c.ends, message.Partition)
			}
		case <-deadline:
			return fmt.Errorf("%d shown in time; ends not reached: %v", c.shown, c.ends)
		}
	}
	return nil
}

func (c *consumer) show(message *sarama.ConsumerMessage) {
	var n notification.Notification
	place := fmt.Sprintf("partition %d offset %d", message.Partition, message.Offset)
	if err := json.Unmarshal(message.Value, &n); err != nil {
		log.Printf("skipped %s: %v", place, err)
		return
	}
	nobody := notification.User{}
	if n.From == nobody || n.To == nobody || n.Message == "" {
		log.Printf("blank %s: %s", place, message.Value)
		c.blanks++
		return
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(n); err != nil {
		log.Fatalf("cannot write: %v", err)
	}
	c.shown++
}
