//! Two servers run labs for one another's users, over a line that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use catalog_client::Client;
use catalog_launch::Identity;
use catalog_launch::remote::signing::{Asking, Claims};
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{Launch, LaunchRequest, LaunchState};
use catalog_schemas::plan::{PlanAnswer, PlanRequest};
use catalog_tests::Sandbox;
use catalog_tests::sandbox::{Settings, read};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const LAUNCHES: &[Scope] = &[Scope::Read, Scope::Launch];
const LAB: &str = "esa.esdc.aladin";

/// A line between two servers; cut, it drops what goes through it and lets nothing new in.
struct Line {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Line {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_cut, cut) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let (dropped, told) = (Arc::clone(&is_cut), Arc::clone(&cut));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if dropped.load(Ordering::SeqCst) {
                    continue;
                }
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = told.notified() => {}
                    }
                });
            }
        });
        Self { address, is_cut, cut }
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

struct Pair {
    here: Sandbox,
    there: Sandbox,
    line: Line,
    identity: Identity,
}

fn settings() -> Settings {
    Settings { sample: true, configuration: Some(String::new()), ..Settings::default() }
}

/// Starts two servers, each with a demonstration of its own and the other's as a remote datazone.
async fn pair() -> Pair {
    let (mut here, mut there) = (Sandbox::prepare(settings()), Sandbox::prepare(settings()));
    let line = Line::to(there.base().trim_start_matches("http://").parse().unwrap()).await;
    let address = format!("http://{}", line.address);
    let configuration = |zone: &str, base: &str, remote: &str, url: &str, peer: &str| {
        format!(
            "baseUrl = \"{base}\"\n\
             [zone]\nid = \"{zone}\"\nname = \"{zone}\"\n\
             [[datazone]]\nid = \"{zone}\"\nname = \"{zone}\"\nbackend = \"demo\"\ncpu = 8\nmemoryMiB = 16384\n\
             demo.prepareMillis = 1500\n\
             [[datazone]]\nid = \"{remote}\"\nname = \"{remote}\"\nbackend = \"remote\"\nurl = \"{url}\"\nimages = \"notNeeded\"\n\
             {peer}"
        )
    };
    let write = |sandbox: &Sandbox, text: String| std::fs::write(sandbox.folder().join("alidade.toml"), text).unwrap();
    let key = |sandbox: &Sandbox| {
        let said = String::from_utf8(sandbox.cli(&["doctor"]).stdout).unwrap();
        let line = said.lines().find(|line| line.contains("signs with the key")).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().nth(6).unwrap().to_owned()
    };
    // Each must be configured before it has a key, and the other's key is a part of the configuration.
    let base = here.base().to_owned();
    write(&here, configuration("zone-a", &base, "zone-b", &address, ""));
    write(&there, configuration("zone-b", &address, "zone-a", &base, ""));
    let peer = |zone: &str, key: String| format!("[[peer]]\nzone = \"{zone}\"\nkey = \"{key}\"\n");
    let (key_here, key_there) = (key(&here), key(&there));
    write(&here, configuration("zone-a", &base, "zone-b", &address, &peer("zone-b", key_there)));
    write(&there, configuration("zone-b", &address, "zone-a", &base, &peer("zone-a", key_here)));
    here.spawn();
    there.spawn();
    here.wait_until_ready().await;
    there.wait_until_ready().await;
    let identity = Identity::read("zone-a", &std::fs::read(here.data().join("zone.key")).unwrap()).unwrap();
    Pair { here, there, line, identity }
}

fn at(zone: &str, datalab: &str) -> LaunchRequest {
    let request =
        PlanRequest { datalab: datalab.to_owned(), datazone: Some(zone.to_owned()), ..PlanRequest::default() };
    LaunchRequest::Plan(Box::new(request))
}

async fn wait_for(client: &Client, id: &str, wanted: impl Fn(&Launch) -> bool) -> Launch {
    let started = Instant::now();
    loop {
        let launch = client.launch_get(id).await.unwrap();
        if wanted(&launch) {
            return launch;
        }
        assert!(started.elapsed() < Duration::from_secs(90), "{launch:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the remote zone has been seen.
async fn wait_until_seen(client: &Client, zone: &str) {
    let started = Instant::now();
    loop {
        let zones = client.datazones().await.unwrap().datazones;
        if zones.iter().any(|it| it.id == zone && it.health == "up" && it.capacity.is_some()) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(90), "{zones:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_ready(launch: &Launch) -> bool {
    matches!(launch.state, LaunchState::Ready | LaunchState::Running) || launch.state.is_final()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_run_labs_for_one_another() {
    let Pair { here, there, line, identity } = pair().await;
    let alice = here.account("alice", Role::User, LAUNCHES).await;
    let bob = here.account("bob", Role::User, LAUNCHES).await;
    wait_until_seen(&alice.client, "zone-b").await;
    let lab = format!("zone-a/{LAB}");

    // What can run there counts as an offer here, and the answer says that it is another's.
    let plan = alice.client.plan(&PlanRequest { datalab: lab.clone(), ..PlanRequest::default() }).await.unwrap();
    assert_eq!(plan.answer, PlanAnswer::Yes);
    let offer = plan.offers.iter().find(|offer| offer.datazone == "zone-b").unwrap_or_else(|| panic!("{plan:#?}"));
    assert!(offer.explanation.iter().any(|words| words.contains("another server")), "{offer:#?}");

    let launch = alice.client.launch(&at("zone-b", &lab), "one").await.unwrap();
    let ready = wait_for(&alice.client, &launch.id, is_ready).await;
    assert!(ready.failure.is_none() && ready.granted.is_some(), "{ready:#?}");
    assert!(ready.demo, "another server's demonstration is marked as one here too");

    // Over there it is one launch, of an account of its own.
    let theirs = there.admin().launches().await.unwrap().launches;
    assert!(theirs.is_empty(), "the administrator's own list has only their own: {theirs:#?}");
    let seen = there.admin().launch_get(&launch.id).await.unwrap();
    assert_eq!((seen.owner.as_str(), seen.id.as_str()), ("alice@zone-a", launch.id.as_str()));

    // It opens here, through their proxy, for its owner alone; its log is relayed.
    let path = ready.access_url.clone().unwrap();
    let (status, page) = read(here.request("GET", &path).bearer_auth(&alice.token)).await;
    assert!(status == 200 && page.contains("DEMO"), "{status} {page}");
    assert_eq!(read(here.request("GET", &path).bearer_auth(&bob.token)).await.0, 404);
    let log = alice.client.launch_logs(&launch.id).await.unwrap();
    assert!(log.iter().any(|line| line.contains("DEMO")), "{log:?}");

    // A request that is replayed, old, meant for somebody else or forged is refused, each with its code.
    let address = format!("http://{}", line.address);
    let path = format!("/api/v1/delegations/launches/{}", launch.id);
    let asked = Asking { method: "DELETE", path: &path, body: Some(b"") };
    let send = async |signed: &str| {
        let (status, body) = read(there.request("DELETE", &path).header("authorization", signed)).await;
        let code = serde_json::from_str::<serde_json::Value>(&body)
            .ok()
            .and_then(|body| body["type"].as_str().map(str::to_owned));
        (status, code.unwrap_or_default())
    };
    let now = Timestamp::now();
    let ago = |seconds: i64| Timestamp::from_second(now.as_second() - seconds).unwrap();
    for (signed, status, code) in [
        (identity.sign(&address, None, asked, ago(300)), 401, "delegation.expired"),
        (identity.sign(&address, None, asked, ago(-300)), 401, "delegation.expired"),
        (identity.sign("https://other.example", None, asked, now), 401, "delegation.audience"),
        (identity.sign(&address, None, Asking { method: "GET", ..asked }, now), 401, "delegation.changed"),
        ("Alidade-Delegation x.y".to_owned(), 401, "delegation.malformed"),
    ] {
        let (found, kind) = send(&signed).await;
        assert!(found == status && kind.contains(code), "{code}: {found} {kind}");
    }
    let stranger = Identity::read("zone-a", &Identity::generate().unwrap()).unwrap();
    assert!(send(&stranger.sign(&address, None, asked, now)).await.1.contains("delegation.signature"));
    let longer = Claims {
        iss: "zone-a".to_owned(),
        aud: address.clone(),
        sub: None,
        iat: now.as_second(),
        exp: now.as_second() + 3600,
        jti: "n".to_owned(),
        method: "DELETE".to_owned(),
        path: path.clone(),
        body: None,
    };
    assert!(send(&identity.seal(&longer)).await.1.contains("delegation.expired"));
    let once = identity.sign(&address, None, asked, Timestamp::now());
    assert_eq!(send(&once).await.0, 200);
    let (status, kind) = send(&once).await;
    assert!(status == 409 && kind.contains("delegation.replayed"), "{status} {kind}");

    // It was stopped over there, which is seen here; nothing runs on.
    let over = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
    assert!(over.failure.is_some_and(|failure| failure.code == "container.lost"));

    // The other way round as well.
    let carol = there.account("carol", Role::User, LAUNCHES).await;
    wait_until_seen(&carol.client, "zone-a").await;
    let back = carol.client.launch(&at("zone-a", &format!("zone-b/{LAB}")), "two").await.unwrap();
    let ready = wait_for(&carol.client, &back.id, is_ready).await;
    assert!(ready.failure.is_none(), "{ready:#?}");
    carol.client.launch_stop(&back.id).await.unwrap();
    wait_for(&carol.client, &back.id, |launch| launch.state == LaunchState::Cancelled).await;
    let ended = wait_for(&here.admin(), &back.id, |launch| launch.state.is_final()).await;
    assert_eq!((ended.owner.as_str(), ended.state), ("carol@zone-b", LaunchState::Cancelled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_makes_nothing_twice() {
    let Pair { here, there, line, .. } = pair().await;
    let alice = here.account("alice", Role::User, LAUNCHES).await;
    wait_until_seen(&alice.client, "zone-b").await;
    let lab = format!("zone-a/{LAB}");
    // Cut at three moments: before anything was sent, while it is prepared there, and when it is about to be ready.
    for (number, wait) in [0u64, 300, 1700].into_iter().enumerate() {
        let launch = alice.client.launch(&at("zone-b", &lab), &format!("key-{number}")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        line.cut();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let unknown = alice.client.launch_get(&launch.id).await.unwrap();
        assert!(unknown.failure.is_none() && !unknown.state.is_final(), "it is not given up: {unknown:#?}");
        line.mend();
        let ready = wait_for(&alice.client, &launch.id, is_ready).await;
        assert!(ready.failure.is_none(), "{ready:#?}");
        let there_too = there.admin().launch_get(&launch.id).await.unwrap();
        assert_eq!(there_too.owner, "alice@zone-a");
        alice.client.launch_stop(&launch.id).await.unwrap();
        wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
        wait_for(&there.admin(), &launch.id, |launch| launch.state.is_final()).await;
    }
    // One row for each over there, and nobody's place is taken any more.
    let me = here.with_token(&alice.token).me().await.unwrap();
    assert_eq!(me.running, 0);
}
