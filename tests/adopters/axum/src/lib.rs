//! A shop with sessions, as somebody would write it who measures its memory.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, put};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

type Sessions = Arc<Mutex<HashMap<u64, Vec<String>>>>;

/// Orders are put into a session, which is deleted when its customer leaves.
pub fn shop() -> Router {
    Router::new()
        .route("/sessions/{id}/{item}", put(order))
        .route("/sessions/{id}", delete(leave))
        .with_state(Sessions::default())
}

async fn order(State(sessions): State<Sessions>, Path((id, item)): Path<(u64, String)>) {
    sessions.lock().await.entry(id).or_default().push(item);
}

async fn leave(State(sessions): State<Sessions>, Path(id): Path<u64>) {
    if cfg!(not(feature = "leaky")) {
        sessions.lock().await.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    #[global_allocator]
    static ALLOC: highwater::Alloc = highwater::Alloc::system();

    async fn request(shop: &Router, method: &str, path: String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = shop.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[highwater::test(steps = 1_000, state = shop(), residue = "0 B")]
    async fn sessions_are_forgotten(shop: &mut Router, i: u64) {
        request(shop, "PUT", format!("/sessions/{i}/tea")).await;
        request(shop, "DELETE", format!("/sessions/{i}")).await;
    }
}
