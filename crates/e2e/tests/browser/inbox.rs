//! An inbox that is worth a picture.

use serde_json::{Value, json};

/// From the oldest to the newest.
pub(crate) fn messages() -> Vec<Value> {
    let service = |name: &str| json!({"name": name});
    vec![
        json!({"to": 1, "from": service("Billing"), "title": "Invoice 2026-113",
            "message": "Your invoice for November is ready: 42.00 EUR, due on 10 December.",
            "url": "https://billing.example.org/invoices/2026-113", "tags": ["billing"]}),
        json!({"to": 1, "from": 4, "message": "Thanks for the review! I have merged it and will deploy tonight."}),
        json!({"to": 1, "from": service("Deploys"), "title": "api 4.12.0 is live",
            "message": "Rolled out to all regions in 3 min 20 s. No errors so far.",
            "url": "/deploys/4120", "tags": ["deploy", "production"]}),
        json!({"to": 1, "from": 3, "message": "Are we still on for Thursday?\nI booked the small room, but could ask for the big one if more people come."}),
        json!({"to": 1, "from": service("Monitoring"), "title": "Disk of db-2 is 91 % full", "priority": 5,
            "message": "At this rate it is full in 6 hours.", "tags": ["alert"]}),
        json!({"to": 1, "from": 2, "title": "Today", "message": "Lunch?", "tags": ["food"]}),
    ]
}
