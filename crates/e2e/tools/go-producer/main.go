// Command go-producer sends notifications as the tutorial's producer does: with sarama, its settings
// and its partitioner as they come.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/IBM/sarama"

	"kafka-notify/tools/notification"
)

var names = map[int]string{1: "Emma", 2: "Bruno", 3: "Rick", 4: "Lena"}

func main() {
	broker := flag.String("broker", "localhost:9092", "brokers, separated by commas")
	topic := flag.String("topic", "notifications", "topic")
	from := flag.Int("from", 0, "id of the sender")
	to := flag.Int("to", 0, "id of the recipient")
	message := flag.String("message", "", "message; where there are several, its number follows it")
	count := flag.Int("count", 1, "how many to send, one after the other")
	transaction := flag.String("transaction", "", "send them in a transaction, and commit or abort it")
	flag.Parse()

	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	if *transaction != "" {
		config.Producer.Transaction.ID = fmt.Sprintf("go-producer-%d", os.Getpid())
		config.Producer.Idempotent = true
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Net.MaxOpenRequests = 1
	}
	producer, err := sarama.NewSyncProducer(strings.Split(*broker, ","), config)
	if err != nil {
		log.Fatalf("cannot set up a producer: %v", err)
	}
	defer producer.Close()

	if *transaction != "" {
		if err := producer.BeginTxn(); err != nil {
			log.Fatalf("cannot begin a transaction: %v", err)
		}
	}
	for number := 1; number <= *count; number++ {
		text := *message
		if *count > 1 {
			text = fmt.Sprintf("%s %d", text, number)
		}
		if err := send(producer, *topic, *from, *to, text); err != nil {
			log.Fatalf("cannot send: %v", err)
		}
	}
	if err := end(producer, *transaction); err != nil {
		log.Fatalf("cannot %s the transaction: %v", *transaction, err)
	}
}

func end(producer sarama.SyncProducer, transaction string) error {
	switch transaction {
	case "":
		return nil
	case "commit":
		return producer.CommitTxn()
	case "abort":
		return producer.AbortTxn()
	}
	return fmt.Errorf("-transaction is commit or abort")
}

// send prints the partition and the offset that the notification got.
func send(producer sarama.SyncProducer, topic string, from, to int, message string) error {
	value, err := json.Marshal(notification.Notification{
		From:    notification.User{ID: from, Name: names[from]},
		To:      notification.User{ID: to, Name: names[to]},
		Message: message,
	})
	if err != nil {
		return err
	}
	partition, offset, err := producer.SendMessage(&sarama.ProducerMessage{
		Topic: topic,
		Key:   sarama.StringEncoder(strconv.Itoa(to)),
		Value: sarama.StringEncoder(value),
	})
	if err == nil {
		fmt.Printf("%d %d\n", partition, offset)
	}
	return err
}
