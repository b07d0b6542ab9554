//! What became of a request to send, as JSON.

use std::io::Write;

use service::Problem;

use crate::problem::explain;
use crate::publisher::Delivery;

/// The answer to a request to send.
pub(crate) enum Answer {
    /// All of it is in the log: `{"notifications":[{"id","to","position"}]}`.
    Sent(Vec<u8>),
    /// Some of it is: each element has its `status`, and `code` and `detail` where it is not.
    Partly(Vec<u8>),
    /// Nothing is.
    Refused(Problem),
}

impl Answer {
    /// Of what became of each notification, in the order asked.
    pub(crate) fn of(deliveries: &[Delivery]) -> Self {
        let failures = deliveries.iter().filter_map(|delivery| delivery.result.as_ref().err());
        let (count, mut failures) = (failures.clone().count(), failures);
        match failures.next() {
            None => Self::Sent(list(deliveries, put_sent)),
            Some(first) if count == deliveries.len() => Self::Refused(explain(first)),
            Some(_) => Self::Partly(list(deliveries, put_with_status)),
        }
    }
}

fn list(deliveries: &[Delivery], put: fn(&mut Vec<u8>, &Delivery)) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + 192 * deliveries.len());
    out.extend_from_slice(br#"{"notifications":["#);
    for (index, delivery) in deliveries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'{');
        put(&mut out, delivery);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

// Ids and positions have no character that JSON would escape, and writing to a Vec cannot fail.

fn put_sent(out: &mut Vec<u8>, delivery: &Delivery) {
    let Delivery { to, id, result } = delivery;
    if let Ok(position) = result {
        let _ = write!(out, r#""id":"{id}","to":"{to}","position":"{position}""#);
    }
}

fn put_with_status(out: &mut Vec<u8>, delivery: &Delivery) {
    match &delivery.result {
        Ok(_) => {
            put_sent(out, delivery);
            out.extend_from_slice(br#","status":201"#);
        }
        Err(error) => {
            let _ = write!(out, r#""to":"{}","#, delivery.to);
            put_problem(out, &explain(error));
        }
    }
}

/// Adds `"status":404,"code":"user_not_found","detail":"..."`.
pub(crate) fn put_problem(out: &mut Vec<u8>, problem: &Problem) {
    let (status, code) = (problem.code().status().as_u16(), problem.code().as_str());
    let _ = write!(out, r#""status":{status},"code":"{code}","detail":"#);
    let _ = serde_json::to_writer(out, problem.detail());
}
