//! A request goes through a server with the two layers that report its errors: one
//! that makes a hub for each request, and one that describes the request to the hub.
//! The leaky release adds the description to the hub of the thread, where it stays.

#![forbid(unsafe_code)]

use futures_util::FutureExt as _;
use http::{Request, Response};
use sentry_core::{Client, ClientOptions, Envelope, Hub, Transport};
use sentry_tower::{NewSentryLayer, SentryHttpLayer};
use std::convert::Infallible;
use std::sync::Arc;
use tower::util::BoxService;
use tower::{Service as _, ServiceBuilder, service_fn};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Reports nothing to nobody.
struct Silent;

impl Transport for Silent {
    fn send_envelope(&self, _: Envelope) {}
}

type Server = BoxService<Request<String>, Response<String>, Infallible>;

fn start() -> Server {
    let options = ClientOptions {
        dsn: Some("https://key@localhost/1".parse().expect("an address")),
        transport: Some(Arc::new(|_: &ClientOptions| -> Arc<dyn Transport> {
            Arc::new(Silent)
        })),
        ..ClientOptions::default()
    };
    Hub::current().bind_client(Some(Arc::new(Client::from(options))));
    let server = ServiceBuilder::new()
        .layer(NewSentryLayer::<Request<String>>::new_from_top())
        .layer(SentryHttpLayer::new())
        .service(service_fn(|request: Request<String>| async move {
            Ok(Response::new(request.into_body()))
        }));
    BoxService::new(server)
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(start, |server: &mut Server, number| {
            let request = Request::get(format!("http://localhost/reports/{number:06}"))
                .header("accept", "text/plain")
                .body(String::from("hello"))
                .expect("a request");
            let answer = server.call(request).now_or_never();
            let answer = answer.expect("it is ready").expect("it never fails");
            assert_eq!(answer.body(), "hello");
        });
    println!("{}", report.to_json());
}
