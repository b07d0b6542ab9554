//! Query parameters, read strictly.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::{Code, Problem};

/// The query of a request: known parameters, each at most once.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of a request that knows these parameters.
    ///
    /// # Errors
    /// [`Code::InvalidRequest`]: a parameter that is not known, or one that occurs twice.
    pub fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let invalid = |detail: String| Problem::new(Code::InvalidRequest, detail);
        let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|error| invalid(format!("the query cannot be read: {error}")))?
            .into_inner();
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let name: String = name.chars().take(64).collect();
                let known = known.join(", ");
                return Err(invalid(format!("unknown query parameter {name:?}, known: {known}")));
            }
            if pairs.iter().take(index).any(|(other, _)| other == name) {
                return Err(invalid(format!("query parameter {name} occurs twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// The parameter's text, if it is there.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The parameter's value, if it is there.
    ///
    /// # Errors
    /// `code`, naming the parameter.
    pub fn value<T>(&self, name: &str, code: Code) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: Display>,
    {
        let read = |text: &str| {
            text.parse()
                .map_err(|error| Problem::new(code, format!("query parameter {name}: {error}")))
        };
        self.text(name).map(read).transpose()
    }

    /// The parameter's value if it is there, an integer in this range.
    ///
    /// # Errors
    /// [`Code::InvalidRequest`], naming the parameter.
    pub fn integer(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_plain && range.contains(number));
        let (start, end) = (range.start(), range.end());
        let refused = || {
            let detail = format!("query parameter {name} is not an integer from {start} to {end}");
            Problem::new(Code::InvalidRequest, detail)
        };
        number.ok_or_else(refused).map(Some)
    }
}
