//! Carrying an answer from its worker to its reader, within bounds of time and memory.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use catalog_graph::worker::{Cause, Head, Refusal, Refused, Request};
use tokio::sync::{mpsc, oneshot};

use super::pool::Turn;
use super::worker::Said;

/// Bytes of an answer that are held back until it is known to be whole, so that most errors come before it begins.
const HELD: usize = 1 << 20;

/// Bytes that a worker may be ahead of its reader.
const AHEAD: usize = 1 << 20;

/// Whole answers up to this size are handed over in one piece.
const SMALL: usize = 64 * 1024;

/// How long a reader may leave a piece unread.
const UNREAD: Duration = Duration::from_secs(30);

/// How much later than the worker's own deadline it is killed.
const GRACE: Duration = Duration::from_millis(250);

/// An answer that has begun.
#[derive(Debug)]
pub struct Answer {
    /// What it is.
    pub head: Head,
    /// Its bytes.
    pub body: Body,
}

/// The bytes of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of them.
    Whole(Bytes),
    /// Their number when it is known, and they themselves.
    Pieces(Option<usize>, Pieces),
}

/// Pieces of an answer as they come.
#[derive(Debug)]
pub struct Pieces(mpsc::Receiver<Piece>);

/// A piece of an answer, or its end: when the pieces stop without one, the answer was broken off.
type Piece = Option<Bytes>;

impl Pieces {
    /// Returns the bytes as a stream, which ends in an error when the answer was broken off: the connection is cut then,
    /// so that no client takes a part for the whole.
    pub fn into_stream(self) -> impl futures::Stream<Item = io::Result<Bytes>> {
        futures::stream::unfold(Some(self.0), async |pieces| {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Some(piece)) => Some((Ok(piece), Some(pieces))),
                Some(None) => None,
                None => Some((Err(io::Error::other("the answer was broken off")), None)),
            }
        })
    }
}

/// What came of an answer before any of it was sent.
struct Held {
    head: Head,
    pieces: Ahead,
    /// Whoever goes on, when that is not all.
    rest: Option<Turn>,
}

/// Pieces that were not sent yet.
#[derive(Default)]
struct Ahead {
    pieces: VecDeque<Bytes>,
    size: usize,
}

impl Ahead {
    fn push(&mut self, piece: Bytes) {
        self.size += piece.len();
        self.pieces.push_back(piece);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.size -= piece.len();
        Some(piece)
    }
}

/// Why there is nothing to send.
enum Nothing {
    Refused(Refusal),
    /// The client has left.
    Left,
}

/// What happened while a worker was listened to.
enum Event {
    Said(Said),
    /// The worker is gone.
    Lost,
    /// The time is over.
    Late,
    /// Nobody waits for the answer any more.
    Left,
}

/// Runs an evaluation to its end, whoever else it waits for.
pub(super) async fn relay(turn: Turn, request: Request, mut started: oneshot::Sender<Result<Answer, Refusal>>) {
    let time = request.allowance.time;
    let held = match hold(turn, request, started.closed()).await {
        Ok(held) => held,
        Err(Nothing::Refused(refusal)) => {
            // Whoever left meanwhile needs no answer.
            let _ = started.send(Err(refusal));
            return;
        }
        Err(Nothing::Left) => return,
    };
    let Held { head, pieces, rest } = held;
    if rest.is_none() && pieces.size <= SMALL {
        let body = Body::Whole(pieces.pieces.iter().flatten().copied().collect());
        let _ = started.send(Ok(Answer { head, body }));
        return;
    }
    let (sender, receiver) = mpsc::channel(1);
    let length = rest.is_none().then_some(pieces.size);
    let answer = Answer { head, body: Body::Pieces(length, Pieces(receiver)) };
    let is_heard = started.send(Ok(answer)).is_ok();
    let sent = match rest {
        Some(turn) if is_heard => stream(turn, pieces, &sender, time).await,
        Some(turn) => return turn.kill(),
        None => drain(pieces, &sender).await,
    };
    if let Err(Nothing::Refused(refusal)) = sent {
        tracing::info!(%refusal, "an answer was broken off");
    }
}

/// First part: nothing is sent yet, so that whatever goes wrong becomes a problem document.
async fn hold(mut turn: Turn, request: Request, left: impl Future<Output = ()>) -> Result<Held, Nothing> {
    let mut left = std::pin::pin!(left);
    let time = request.allowance.time;
    let asked = tokio::time::timeout(time, turn.worker.ask(&request)).await;
    if !matches!(asked, Ok(Ok(()))) {
        return Err(Nothing::Refused(turn.post_mortem().await));
    }
    let (mut head, mut pieces) = (None, Ahead::default());
    loop {
        match hear(&mut turn, left.as_mut()).await {
            Event::Said(Said::Head(said)) => head = Some(said),
            Event::Said(Said::Data(piece)) => {
                pieces.push(piece);
                if let (Some(head), true) = (head, pieces.size > HELD) {
                    return Ok(Held { head, pieces, rest: Some(turn) });
                }
            }
            Event::Said(Said::End(end)) => {
                if end.leaves {
                    turn.kill()
                } else {
                    turn.end()
                }
                let lost = || Nothing::Refused(Refusal::new(Cause::Internal, "an answer without its head"));
                return Ok(Held { head: head.ok_or_else(lost)?, pieces, rest: None });
            }
            event => return Err(over(event, turn, time).await),
        }
    }
}

/// Ends a turn that has no answer, or no more of it.
async fn over(event: Event, turn: Turn, time: Duration) -> Nothing {
    match event {
        Event::Said(Said::Refusal(Refused { refusal, leaves })) => {
            if leaves {
                turn.kill();
            } else {
                turn.end();
            }
            Nothing::Refused(refusal)
        }
        Event::Late => {
            turn.kill();
            let detail = format!("the query took longer than {} s; narrow it, or add LIMIT", time.as_secs());
            Nothing::Refused(Refusal::new(Cause::Time, detail))
        }
        Event::Left => {
            turn.kill();
            Nothing::Left
        }
        Event::Said(_) | Event::Lost => Nothing::Refused(turn.post_mortem().await),
    }
}

/// Waits for the worker, the deadline, or the client's leaving.
async fn hear(turn: &mut Turn, left: impl Future<Output = ()>) -> Event {
    let deadline = tokio::time::Instant::from_std(turn.deadline + GRACE);
    tokio::select! {
        biased;
        () = left => Event::Left,
        () = tokio::time::sleep_until(deadline) => Event::Late,
        said = turn.worker.next() => said.map_or(Event::Lost, Event::Said),
    }
}

/// Sends on what comes while more comes; the worker is as far ahead of the reader as it may be, and no further.
async fn stream(mut turn: Turn, mut ahead: Ahead, sender: &mpsc::Sender<Piece>, time: Duration) -> Result<(), Nothing> {
    let mut progress = Instant::now();
    loop {
        let has_room = ahead.size <= AHEAD;
        let event = tokio::select! {
            biased;
            room = sender.reserve(), if ahead.size > 0 => match room {
                Ok(room) => {
                    progress = Instant::now();
                    room.send(ahead.pop());
                    continue;
                }
                Err(_) => Event::Left,
            },
            () = tokio::time::sleep_until((progress + UNREAD).into()), if ahead.size > 0 => {
                turn.kill();
                return Err(unread());
            }
            event = hear_while(&mut turn, sender, has_room) => event,
        };
        match event {
            Event::Said(Said::Data(piece)) => ahead.push(piece),
            Event::Said(Said::End(end)) => {
                if end.leaves {
                    turn.kill()
                } else {
                    turn.end()
                }
                return drain(ahead, sender).await;
            }
            event => return Err(over(event, turn, time).await),
        }
    }
}

/// Listens to the worker unless it is too far ahead; the deadline holds in any case.
async fn hear_while(turn: &mut Turn, sender: &mpsc::Sender<Piece>, has_room: bool) -> Event {
    if has_room {
        return hear(turn, sender.closed()).await;
    }
    let deadline = tokio::time::Instant::from_std(turn.deadline + GRACE);
    tokio::select! {
        () = sender.closed() => Event::Left,
        () = tokio::time::sleep_until(deadline) => Event::Late,
    }
}

/// Sends what is left of an answer that is whole here.
async fn drain(ahead: Ahead, sender: &mpsc::Sender<Piece>) -> Result<(), Nothing> {
    for piece in ahead.pieces.into_iter().map(Some).chain([None]) {
        match tokio::time::timeout(UNREAD, sender.send(piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Nothing::Left),
            Err(_) => return Err(unread()),
        }
    }
    Ok(())
}

fn unread() -> Nothing {
    Nothing::Refused(Refusal::new(Cause::Unread, "the answer was not read"))
}
