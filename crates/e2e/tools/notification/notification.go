// Package notification has what the tutorial's producer and consumer tell each other.
package notification

// User is somebody with an inbox.
type User struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Notification is a record's value.
type Notification struct {
	From    User   `json:"from"`
	To      User   `json:"to"`
	Message string `json:"message"`
}
