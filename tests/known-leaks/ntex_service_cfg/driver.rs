//! A server makes a configuration for each tenant, asks it for the limits and lets it
//! go. The leaky release makes every configuration static.

#![forbid(unsafe_code)]

use ntex_service::cfg::{Cfg, CfgContext, Configuration, SharedCfg};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Debug, Default)]
struct Limits {
    context: CfgContext,
    connections: u64,
}

impl Configuration for Limits {
    const NAME: &'static str = "limits";

    fn ctx(&self) -> &CfgContext {
        &self.context
    }

    fn set_ctx(&mut self, context: CfgContext) {
        self.context = context;
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || (),
            |(), tenant| {
                let limits = Limits {
                    connections: tenant,
                    ..Limits::default()
                };
                let shared: SharedCfg = SharedCfg::new("tenant").add(limits).into();
                let limits: Cfg<Limits> = shared.get();
                assert_eq!(limits.connections, tenant);
            },
        );
    println!("{}", report.to_json());
}
