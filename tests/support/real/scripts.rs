//! Servers that are libraries of other languages: a few lines of Python or JavaScript beside this
//! file start them.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Make, Offers, PASSWORD, Place, Serves, USER, brought, program};

/// A library and what it can do.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    /// As `serve.py` or `serve.js` knows it.
    make: &'static str,
    language: Language,
    offers: Offers,
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    Node,
}

pub const PYFTPDLIB: Script = Script {
    name: "pyftpdlib",
    make: "pyftpdlib",
    language: Language::Python,
    offers: Offers {
        explicit: true,
        implicit: false,
        sessions: true,
        ports: true,
    },
};
pub const AIOFTP: Script = Script {
    name: "aioftp",
    make: "aioftp",
    language: Language::Python,
    offers: Offers {
        explicit: false,
        implicit: true,
        sessions: true,
        ports: true,
    },
};
pub const TWISTED: Script = Script {
    name: "twisted",
    make: "twisted",
    language: Language::Python,
    offers: Offers {
        explicit: false,
        implicit: false,
        sessions: false,
        ports: true,
    },
};
pub const FTP_SRV: Script = Script {
    name: "ftp-srv",
    make: "ftp-srv",
    language: Language::Node,
    offers: Offers {
        explicit: true,
        implicit: true,
        sessions: false,
        ports: true,
    },
};
pub const FTPD_JS: Script = Script {
    name: "npm ftpd",
    make: "ftpd",
    language: Language::Node,
    offers: Offers {
        explicit: true,
        implicit: false,
        sessions: false,
        ports: true,
    },
};

impl Script {
    fn command(&self) -> Option<Command> {
        let (interpreter, script) = match self.language {
            Language::Python => ("python3", "serve.py"),
            Language::Node => ("node", "serve.js"),
        };
        let mut command = Command::new(program(interpreter)?);
        match self.language {
            Language::Python => command.env("PYTHONPATH", brought().join("python")),
            Language::Node => command.env("NODE_PATH", brought().join("node/node_modules")),
        };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("real");
        command.arg(scripts.join(script));
        Some(command)
    }

    /// Whether the library can be found: asks the interpreter.
    fn has_library(&self) -> bool {
        let Some(command) = self.command() else {
            return false;
        };
        let mut asking = Command::new(command.get_program());
        for (key, value) in command.get_envs() {
            asking.env(key, value.unwrap_or_default());
        }
        match self.language {
            Language::Python => asking.arg("-c").arg(format!("import {}", self.make)),
            Language::Node => asking
                .arg("-e")
                .arg(format!("require.resolve('{}')", self.make)),
        };
        let status = asking
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

impl Make for Script {
    fn name(&self) -> &'static str {
        self.name
    }

    fn missing(&self) -> Option<String> {
        (!self.has_library()).then(|| "it is not installed (.ci/servers does that)".to_owned())
    }

    fn offers(&self) -> Offers {
        self.offers
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let asked = serde_json::json!({
            "make": self.make,
            "port": place.address.port(),
            "root": place.files,
            "user": USER,
            "password": PASSWORD,
            "pem": place.tls.as_ref().map(|(pem, _)| pem),
            "implicit": place.tls.as_ref().is_some_and(|(_, implicit)| *implicit),
            "sessions": place.sessions,
            "ports": place.ports.as_ref().map(|ports| (ports.start(), ports.end())),
        });
        let mut command = self.command().unwrap();
        command.arg(asked.to_string());
        Serves::Daemon(command)
    }
}
