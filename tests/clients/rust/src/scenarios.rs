//! Scenarios, each with the facts of the one of its name in tests/clients/scenarios.
use crate::connection::{Peer, describe, with_peer, words};
use agent_client_protocol::Error;
use serde_json::{Value, json};
use tokio::sync::mpsc;

fn id(session: &Value) -> String {
    session["sessionId"].as_str().unwrap_or_default().to_owned()
}

fn select(option: &str) -> Value {
    json!({ "outcome": { "outcome": "selected", "optionId": option } })
}

pub async fn play(name: &str, settings: &Value) -> Result<Value, Error> {
    let (answers, questions) = mpsc::unbounded_channel();
    match name {
        "initialize" => {
            with_peer(settings, questions, |_, initialized| async move { Ok(initialized) }).await
        }
        "streaming" => with_peer(settings, questions, |peer, _| streaming(peer)).await,
        "permission" => {
            let _ = answers.send(select("allow"));
            let _ = answers.send(select("reject"));
            with_peer(settings, questions, |peer, _| permission(peer)).await
        }
        "cancel" => with_peer(settings, questions, |peer, _| cancel(peer, answers)).await,
        "modes" => with_peer(settings, questions, |peer, _| modes(peer)).await,
        "two_sessions" => with_peer(settings, questions, |peer, _| two_sessions(peer)).await,
        "load_live" => reopened(settings, "session/load", false).await,
        "load_closed" => reopened(settings, "session/load", true).await,
        "resume_live" => reopened(settings, "session/resume", false).await,
        "resume_closed" => reopened(settings, "session/resume", true).await,
        "unauthorized" => unauthorized(settings).await,
        _ => Err(Error::internal_error().data("there is no such scenario")),
    }
}

async fn streaming(peer: Peer) -> Result<Value, Error> {
    let session = peer.new_session().await?;
    let first = peer.prompt(&id(&session), "one two three").await?;
    let many = peer.prompt(&id(&session), "/chunks 500 40").await?;
    let updates = many["updates"].as_array().cloned().unwrap_or_default();
    let numbers: Vec<usize> = updates
        .iter()
        .filter_map(|update| update["content"]["text"].as_str()?.split(' ').next()?.parse().ok())
        .collect();
    let mut kinds: Vec<Value> = peer.events.all().iter().map(|event| event["update"]["sessionUpdate"].clone()).collect();
    kinds.dedup();
    let in_order = numbers.iter().enumerate().all(|(index, number)| index == *number);
    Ok(json!({ "session": session, "first": first, "stopReason": many["stopReason"],
               "count": numbers.len(), "inOrder": in_order, "kinds": kinds }))
}

async fn permission(peer: Peer) -> Result<Value, Error> {
    let session = id(&peer.new_session().await?);
    let allowed = peer.prompt(&session, "/permission").await?;
    let rejected = peer.prompt(&session, "/permission").await?;
    let asked: Vec<Value> =
        peer.events.of("permission", 0).iter().map(|event| event["params"].clone()).collect();
    Ok(json!({ "sessionId": session, "asked": asked, "allowed": allowed, "rejected": rejected }))
}

async fn cancel(peer: Peer, answers: mpsc::UnboundedSender<Value>) -> Result<Value, Error> {
    let session = id(&peer.new_session().await?);
    let withdraw = json!({ "sessionId": session });
    let asleep = peer.prompt(&session, "/sleep 600");
    let end_it = async {
        // The answer to a later request shows that the prompt has arrived.
        let mode = json!({ "sessionId": session, "modeId": "ask" });
        peer.request("session/set_mode", mode).await?;
        peer.notify("session/cancel", withdraw.clone())
    };
    let (slept, ended) = tokio::join!(asleep, end_it);
    ended?;
    let waiting = peer.prompt(&session, "/permission");
    let end_it = async {
        peer.events.until(|event| event["kind"] == "permission", 0).await;
        peer.notify("session/cancel", withdraw.clone())?;
        let _ = answers.send(json!({ "outcome": { "outcome": "cancelled" } }));
        Ok::<(), Error>(())
    };
    let (waited, ended) = tokio::join!(waiting, end_it);
    ended?;
    Ok(json!({ "slept": slept?["stopReason"], "waited": waited?["stopReason"],
               "next": peer.prompt(&session, "still there").await? }))
}

async fn modes(peer: Peer) -> Result<Value, Error> {
    let session = peer.new_session().await?;
    let (name, start) = (id(&session), peer.events.count());
    let set = |mode: &str| json!({ "sessionId": name, "modeId": mode });
    let result = peer.request("session/set_mode", set("code")).await?;
    let is_changed = |event: &Value| event["update"]["sessionUpdate"] == "current_mode_update";
    let changed = peer.events.until(is_changed, start).await;
    let refusal = peer.refusal("session/set_mode", set("nonsense")).await?;
    let style = json!({ "sessionId": name, "configId": "style", "value": "loud" });
    let options = peer.request("session/set_config_option", style).await?;
    Ok(json!({ "session": session, "result": result, "changed": changed["update"], "refusal": refusal,
               "options": options, "loud": peer.prompt(&name, "loud").await? }))
}

async fn two_sessions(peer: Peer) -> Result<Value, Error> {
    let one = id(&peer.new_session().await?);
    let two = id(&peer.new_session().await?);
    let (first, second) = tokio::join!(
        peer.prompt(&one, "/chunks 200 20"),
        peer.prompt(&two, "only for the second")
    );
    let (first, second) = (first?, second?);
    let says = |turn: &Value, what: &str| turn["text"].as_str().unwrap_or_default().contains(what);
    let updates = first["updates"].as_array().cloned().unwrap_or_default();
    let chunks =
        updates.iter().filter(|one| one["sessionUpdate"] == "agent_message_chunk").count();
    Ok(json!({ "distinct": one != two, "first": chunks, "second": second["text"],
               "firstHasSecond": says(&first, "only"), "secondHasFirst": says(&second, "x") }))
}

async fn reopened(settings: &Value, method: &str, close: bool) -> Result<Value, Error> {
    let (_answers, questions) = mpsc::unbounded_channel();
    let (session, closed) = with_peer(settings, questions, |peer, _| async move {
        let session = id(&peer.new_session().await?);
        peer.prompt(&session, "remember me").await?;
        let closed = if close {
            peer.request("session/close", json!({ "sessionId": session })).await?
        } else {
            json!({})
        };
        Ok((session, closed))
    })
    .await?;
    let (_answers, questions) = mpsc::unbounded_channel();
    with_peer(settings, questions, |peer, _| async move {
        let start = peer.events.count();
        let params = json!({ "sessionId": session, "cwd": peer.cwd, "mcpServers": [] });
        let result = peer.request(method, params).await?;
        // Over HTTP the replay may come on another stream than the answer; this follows it there.
        let _ = peer.refusal("_tests/nothing", json!({ "sessionId": session })).await?;
        let told = || {
            let updates = peer.updates(&session, start);
            json!({ "user": words(&updates, "user_message_chunk"),
                    "agent": words(&updates, "agent_message_chunk") })
        };
        let before = told();
        let next = peer.prompt(&session, "back again").await?;
        Ok(json!({ "closed": closed, "result": result, "before": before, "next": next,
                   "after": told() }))
    })
    .await
}

async fn unauthorized(settings: &Value) -> Result<Value, Error> {
    let mut attempts = json!({});
    for (name, token) in [("none", ""), ("wrong", "not-the-token")] {
        let mut other = settings.clone();
        other["token"] = json!(token);
        let (_answers, questions) = mpsc::unbounded_channel();
        let tried = with_peer(&other, questions, |_, _| async move { Ok(json!("served")) }).await;
        attempts[name] = tried.unwrap_or_else(|error| describe(&error));
    }
    let (_answers, questions) = mpsc::unbounded_channel();
    let right = with_peer(settings, questions, |_, initialized| async move {
        Ok(initialized["protocolVersion"].clone())
    })
    .await?;
    Ok(json!({ "attempts": attempts, "right": right }))
}
