//! One connection of the SDK to an ACP endpoint, which keeps all that comes in, in order.
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::{Agent, Client, Error, Responder, UntypedMessage, V1};
use agent_client_protocol_http::HttpClient;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc};

/// What came: updates, questions, notifications.
#[derive(Clone, Default)]
pub struct Events(Arc<(Mutex<Vec<Value>>, Notify)>);

impl Events {
    fn push(&self, event: Value) {
        self.0.0.lock().unwrap().push(event);
        self.0.1.notify_waiters();
    }

    pub fn all(&self) -> Vec<Value> {
        self.0.0.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.0.0.lock().unwrap().len()
    }

    /// Of one kind, from number `start` on.
    pub fn of(&self, kind: &str, start: usize) -> Vec<Value> {
        self.all().into_iter().skip(start).filter(|event| event["kind"] == kind).collect()
    }

    pub async fn until(&self, predicate: impl Fn(&Value) -> bool, start: usize) -> Value {
        loop {
            let changed = self.0.1.notified();
            if let Some(found) = self.all().into_iter().skip(start).find(|one| predicate(one)) {
                return found;
            }
            changed.await;
        }
    }
}

/// What a scenario uses: requests, and what came.
#[derive(Clone)]
pub struct Peer {
    connection: ConnectionTo<Agent>,
    pub events: Events,
    pub cwd: String,
}

impl Peer {
    pub async fn request(&self, method: &str, params: Value) -> Result<Value, Error> {
        let message = UntypedMessage::new(method, params)?;
        self.connection.send_request(message).block_task().await
    }

    pub fn notify(&self, method: &str, params: Value) -> Result<(), Error> {
        self.connection.send_notification(UntypedMessage::new(method, params)?)
    }

    pub async fn refusal(&self, method: &str, params: Value) -> Result<Value, Error> {
        match self.request(method, params).await {
            Ok(result) => Err(Error::internal_error().data(json!({ "answered": result }))),
            Err(error) => Ok(describe(&error)),
        }
    }

    pub async fn new_session(&self) -> Result<Value, Error> {
        self.request("session/new", json!({ "cwd": self.cwd, "mcpServers": [] })).await
    }

    /// A turn: its stop reason, the agent's words, and the updates that came before the answer.
    pub async fn prompt(&self, session: &str, text: &str) -> Result<Value, Error> {
        let start = self.events.count();
        let prompt = json!([{ "type": "text", "text": text }]);
        let answer =
            self.request("session/prompt", json!({ "sessionId": session, "prompt": prompt })).await?;
        let updates = self.updates(session, start);
        Ok(json!({ "stopReason": answer["stopReason"], "text": words(&updates, "agent_message_chunk"),
                   "updates": updates }))
    }

    pub fn updates(&self, session: &str, start: usize) -> Vec<Value> {
        let of_session = |event: &Value| event["sessionId"] == session;
        let all = self.events.of("update", start);
        all.into_iter().filter(of_session).map(|event| event["update"].clone()).collect()
    }
}

pub fn words(updates: &[Value], kind: &str) -> String {
    updates
        .iter()
        .filter(|update| update["sessionUpdate"] == kind)
        .filter_map(|update| update["content"]["text"].as_str())
        .collect()
}

pub fn describe(error: &Error) -> Value {
    serde_json::to_value(error).unwrap_or_else(|_| json!({ "message": error.to_string() }))
}

/// Connects, initializes, and lets `body` use the connection. `answers` decides permission requests.
pub async fn with_peer<T, F, R>(
    settings: &Value,
    answers: mpsc::UnboundedReceiver<Value>,
    body: F,
) -> Result<T, Error>
where
    F: FnOnce(Peer, Value) -> R + Send,
    R: Future<Output = Result<T, Error>> + Send,
    T: Send,
{
    let url = settings["url"].as_str().unwrap_or_default().to_owned();
    let token = settings["token"].as_str().unwrap_or_default().to_owned();
    let transport = HttpClient::builder(&url)
        .configure_http(move |http| {
            let mut headers = reqwest::header::HeaderMap::new();
            if let Ok(value) = format!("Bearer {token}").parse()
                && !token.is_empty()
            {
                headers.insert(reqwest::header::AUTHORIZATION, value);
            }
            http.no_proxy().default_headers(headers)
        })
        .build()
        .map_err(|error| Error::internal_error().data(error.to_string()))?;
    let events = Events::default();
    let (asked, told) = (events.clone(), events.clone());
    let answers = Arc::new(tokio::sync::Mutex::new(answers));
    let cwd = settings["cwd"].as_str().unwrap_or("/").to_owned();
    Client
        .v1()
        .on_receive_notification(
            async move |message: UntypedMessage, _connection| {
                let params = message.params().clone();
                told.push(if message.method() == "session/update" {
                    json!({ "kind": "update", "sessionId": params["sessionId"], "update": params["update"] })
                } else {
                    json!({ "kind": "notification", "method": message.method(), "params": params })
                });
                Ok(())
            },
            agent_client_protocol::on_receive_notification!(),
        )
        .on_receive_request(
            async move |message: UntypedMessage, responder: Responder<Value, V1>, connection| {
                if message.method() != "session/request_permission" {
                    asked.push(json!({ "kind": "request", "method": message.method() }));
                    return responder.respond_with_error(Error::method_not_found());
                }
                asked.push(json!({ "kind": "permission", "params": message.params() }));
                let answers = answers.clone();
                connection.spawn(async move {
                    match answers.lock().await.recv().await {
                        Some(answer) => responder.respond(answer),
                        None => responder.respond(json!({ "outcome": { "outcome": "cancelled" } })),
                    }
                })
            },
            agent_client_protocol::on_receive_request!(),
        )
        .connect_with(transport, |connection: ConnectionTo<Agent>| async move {
            let peer = Peer { connection, events, cwd };
            let hello = json!({ "protocolVersion": 1, "clientCapabilities": {},
                                "clientInfo": { "name": "acp-relay-tests", "version": "1" } });
            let initialized = peer.request("initialize", hello).await?;
            body(peer, initialized).await
        })
        .await
}
