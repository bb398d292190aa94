//! The engine's refusals and their codes. The words are those of the engine and of containerd and runc beneath it.

use bollard::errors::Error;

use crate::backend::{BackendError, FailureCode, Stage};
use crate::words::causes;

/// Says that what was asked for does not exist.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Says that something of that name exists, or is being made or removed by somebody else.
pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, .. })
}

/// Says that several things have the name.
pub(super) fn is_ambiguous(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { message, .. } if message.contains("is ambiguous"))
}

/// Says whether a start is refused because an earlier one, which the engine did not survive, left something behind.
pub(super) fn is_left_over(cause: &str) -> bool {
    cause.contains("id already in use") || (cause.contains("failed to start shim") && cause.contains("file exists"))
}

/// Returns the code of an engine's error.
pub(super) fn failure(stage: Stage, error: &Error) -> BackendError {
    let (code, cause) = match error {
        Error::DockerResponseServerError { status_code, message } => {
            (refusal(stage, *status_code, message), message.clone())
        }
        Error::DockerStreamError { error } => (refusal(stage, 0, error), error.clone()),
        Error::SocketNotFoundError(path) => (FailureCode::EngineUnreachable, format!("there is no engine at `{path}`")),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::APIVersionParseError {} => {
            (FailureCode::EngineRefused, error.to_string())
        }
        other => (FailureCode::EngineUnreachable, causes(other)),
    };
    BackendError::new(stage, code, cause)
}

fn refusal(stage: Stage, status: u16, message: &str) -> FailureCode {
    let says = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    };
    if says(&[
        "could not select device driver",
        "nvidia-container-cli",
        "unresolvable cdi devices",
        "no known gpu vendor",
    ]) {
        return FailureCode::GpuUnavailable;
    }
    if says(&["range of cpus", "minimum memory limit", "memory limit"]) {
        return FailureCode::ResourcesUnavailable;
    }
    if says(&["bind source path does not exist"]) {
        return FailureCode::MountMissing;
    }
    if says(&["no space left on device"]) {
        return FailureCode::EngineNoSpace;
    }
    if says(&["executable file not found", "no command specified", "exec format error"])
        || (stage == Stage::Start && says(&["exec:", "no such file or directory"]))
    {
        return FailureCode::CommandNotFound;
    }
    match (stage, status) {
        (Stage::Prepare, 404) => FailureCode::ImageNotFound,
        (Stage::Prepare, _)
            if says(&[
                "manifest unknown",
                "not found",
                "no such image",
                "pull access denied",
                "repository does not exist",
                "invalid reference format",
            ]) =>
        {
            FailureCode::ImageNotFound
        }
        (Stage::Prepare, _) => FailureCode::ImagePullFailed,
        (Stage::Start, 404) if says(&["no such image"]) => FailureCode::ImageNotFound,
        (_, 409) => FailureCode::NameTaken,
        _ => FailureCode::EngineRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_say_has_a_code() {
        let code = |stage, status_code, message: &str| {
            failure(stage, &Error::DockerResponseServerError { status_code, message: message.to_owned() }).code
        };
        use FailureCode::*;
        let nvidia = r#"could not select device driver "nvidia" with capabilities: [[gpu]]"#;
        assert_eq!(code(Stage::Start, 500, nvidia), GpuUnavailable);
        let cpus = "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available";
        assert_eq!(code(Stage::Start, 400, cpus), ResourcesUnavailable);
        let bind = "invalid mount config for type \"bind\": bind source path does not exist: /srv/x";
        assert_eq!(code(Stage::Start, 400, bind), MountMissing);
        let command = "OCI runtime create failed: exec: \"nope\": executable file not found in $PATH: unknown";
        assert_eq!(code(Stage::Start, 400, command), CommandNotFound);
        assert_eq!(code(Stage::Prepare, 404, "manifest for lab:1 not found: manifest unknown"), ImageNotFound);
        assert_eq!(
            code(Stage::Prepare, 500, "Get \"https://r.example/v2/\": dial tcp: no route to host"),
            ImagePullFailed
        );
        assert_eq!(code(Stage::Start, 409, "Conflict. The container name \"/l0\" is already in use"), NameTaken);
        assert_eq!(code(Stage::Prepare, 500, "write /var/lib: no space left on device"), EngineNoSpace);
        let gone = failure(Stage::Run, &Error::SocketNotFoundError("/run/x.sock".to_owned()));
        assert!(gone.is_transient());
        assert_eq!(gone.cause, "there is no engine at `/run/x.sock`");
    }
}
