//! `alidade sparql-suite`: the SPARQL protocol over given datasets, for the suites of the W3C; it is not for people.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{block_on, say};
use crate::http::sparql::bare_router;
use crate::sparql::Pool;

/// `alidade sparql-suite`
#[derive(Debug, Args)]
pub(super) struct Suite {
    /// A folder with datasets, NAME.nq each; stores are made beside them
    folder: PathBuf,
    /// The address to listen on; a free port by default
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What relative IRIs are resolved against
    #[arg(long, default_value = "http://example.org/")]
    base: String,
}

impl Suite {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let listener = tokio::net::TcpListener::bind(self.listen).await?;
            let queries = Pool::new(crate::config::Sparql::default());
            queries.start();
            say(format_args!("http://{}", listener.local_addr()?));
            axum::serve(listener, bare_router(self.folder, self.base, queries)).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
