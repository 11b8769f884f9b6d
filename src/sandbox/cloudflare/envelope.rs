//! The outer form of every reply.
use crate::sandbox::wire::Reply;
use serde_json::{Value, json};

/// A refusal as the API words it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: u32,
    pub message: String,
    /// The causes beneath a wrapper such as 1004 or 6003.
    pub chain: Vec<(u32, String)>,
    /// A JSON pointer into the request.
    pub pointer: Option<String>,
}

impl Refusal {
    pub fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), chain: vec![], pointer: None }
    }
    /// `DNS Validation Error` around its cause.
    pub fn dns(code: u32, message: impl Into<String>) -> Self {
        Self { chain: vec![(code, message.into())], ..Self::new(400, 1004, "DNS Validation Error") }
    }
    /// `Invalid request headers` around its cause.
    pub fn headers(code: u32, message: &str) -> Self {
        Self { chain: vec![(code, message.into())], ..Self::new(400, 6003, "Invalid request headers") }
    }
    /// Since October 2024 the cause of a DNS error may come without its wrapper.
    pub fn unwrapped(mut self) -> Self {
        if self.code == 1004
            && let Some((code, message)) = self.chain.pop()
        {
            (self.code, self.message) = (code, message);
        }
        self
    }
    pub fn at(mut self, pointer: String) -> Self {
        self.pointer = Some(pointer);
        self
    }
    pub fn reply(&self) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message});
        if !self.chain.is_empty() {
            error["error_chain"] =
                self.chain.iter().map(|(code, message)| json!({"code": code, "message": message})).collect();
        }
        if let Some(pointer) = &self.pointer {
            error["source"] = json!({"pointer": pointer});
        }
        json_reply(self.status, &json!({"success": false, "errors": [error], "messages": [], "result": null}))
    }
}

/// What a request that is in order brings.
pub struct Success {
    pub result: Value,
    pub info: Option<Value>,
    pub messages: Vec<Value>,
}

impl From<Value> for Success {
    fn from(result: Value) -> Self {
        Self { result, info: None, messages: vec![] }
    }
}

impl Success {
    /// One page of `all`. `page` counts from 1.
    pub fn page(all: Vec<Value>, page: usize, per_page: usize) -> Self {
        let total = all.len();
        let result: Vec<Value> = all.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
        let info = json!({
            "page": page,
            "per_page": per_page,
            "count": result.len(),
            "total_count": total,
            "total_pages": total.div_ceil(per_page),
        });
        Self { result: Value::from(result), info: Some(info), messages: vec![] }
    }
    pub fn reply(self) -> Reply {
        let mut body = json!({"success": true, "errors": [], "messages": self.messages, "result": self.result});
        if let Some(info) = self.info {
            body["result_info"] = info;
        }
        json_reply(200, &body)
    }
}

pub fn json_reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string().into(),
        ..Reply::default()
    }
}
