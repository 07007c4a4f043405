"""The faults that the simulator injects, by name."""

from enum import StrEnum


class Kind(StrEnum):
    """What can go wrong; the value is what ``--faults`` and reports call it."""

    KILL_BEFORE_STATEMENT = "kill-before-statement"
    KILL_AFTER_STATEMENT = "kill-after-statement"
    KILL_BEFORE_COMMIT = "kill-before-commit"
    KILL_AFTER_COMMIT = "kill-after-commit"
    KILL_IDLE = "kill-idle"
    COMMIT_ERROR = "commit-error"
    FSYNC_ERROR = "fsync-error"
    LOST_ACKNOWLEDGEMENT = "lost-acknowledgement"
    DISK_FULL = "disk-full"
    READ_ERROR = "read-error"
    LOCKED = "locked"
    READ_ONLY = "read-only"
    POWER_CUT = "power-cut"
    TORN_COMMIT = "torn-commit"
    OVERTAKEN = "overtaken"
    SLOW_TRANSACTION = "slow-transaction"
    TWO_SWEEPS = "two-sweeps"
    CLOCK_BACK = "clock-back"
    CLOCK_FORWARD = "clock-forward"
    DUPLICATE_REPORT = "duplicate-report"
    REORDERED_REPORT = "reordered-report"
    LOST_ANSWER = "lost-answer"
    POISON_HANDLER = "poison-handler"
    UNKNOWN_EVENT = "unknown-event"
    VERSION_SKEW = "version-skew"
    CONNECTION_LOST = "connection-lost"
    SERVER_RESTART = "server-restart"


MEANINGS: dict[Kind, str] = {
    Kind.KILL_BEFORE_STATEMENT: "the process dies before a statement, wherever it is",
    Kind.KILL_AFTER_STATEMENT: "the process dies after a statement",
    Kind.KILL_BEFORE_COMMIT: "the process dies before its COMMIT",
    Kind.KILL_AFTER_COMMIT: "the process dies after its COMMIT: what it did is durable, and nobody was told",
    Kind.KILL_IDLE: "the process dies between two commands, with claims in its hands",
    Kind.COMMIT_ERROR: "COMMIT fails with an input/output error; the transaction is still open",
    Kind.FSYNC_ERROR: "COMMIT fails because fsync did; SQLite has rolled back",
    Kind.LOST_ACKNOWLEDGEMENT: "COMMIT takes place, and reports an error",
    Kind.DISK_FULL: "the disk is full for a few statements that write",
    Kind.READ_ERROR: "reading fails once",
    Kind.LOCKED: "the database is locked when a transaction begins",
    Kind.READ_ONLY: "the database is read-only when a transaction begins",
    Kind.POWER_CUT: "every process dies; of the write-ahead log there is what was synced, and a torn tail",
    Kind.TORN_COMMIT: "power is cut within COMMIT: any of the sectors that it wrote may be missing",
    Kind.OVERTAKEN: "others act between what a command has read and its transaction",
    Kind.SLOW_TRANSACTION: "others act while a transaction is open, and find the log locked",
    Kind.TWO_SWEEPS: "a process sweeps between what the sweep of another has read and its transaction",
    Kind.CLOCK_BACK: "a clock is one hour behind: that of a process, or of all",
    Kind.CLOCK_FORWARD: "a clock is one year ahead: that of a process, or of all",
    Kind.DUPLICATE_REPORT: "a report is delivered again, by any process",
    Kind.REORDERED_REPORT: "a report is delivered later than others, by any process",
    Kind.LOST_ANSWER: "the outside service acts, or not, and its answer is lost",
    Kind.POISON_HANDLER: "a handler ends its process whenever it runs",
    Kind.UNKNOWN_EVENT: "a newer version writes an event that this one does not know",
    Kind.VERSION_SKEW: "processes of different engine versions share the log",
    Kind.CONNECTION_LOST: "the server ends a connection; what it had not committed is undone",
    Kind.SERVER_RESTART: "the server ends every connection of every process; they live on, and connect again",
}
AT_STATEMENTS = (
    Kind.KILL_BEFORE_STATEMENT, Kind.KILL_AFTER_STATEMENT, Kind.KILL_BEFORE_COMMIT, Kind.KILL_AFTER_COMMIT,
    Kind.COMMIT_ERROR, Kind.FSYNC_ERROR, Kind.LOST_ACKNOWLEDGEMENT, Kind.DISK_FULL, Kind.READ_ERROR, Kind.LOCKED,
    Kind.READ_ONLY, Kind.POWER_CUT, Kind.TORN_COMMIT, Kind.OVERTAKEN, Kind.SLOW_TRANSACTION, Kind.CONNECTION_LOST,
    Kind.SERVER_RESTART,
)  # fmt: skip
"""Those that strike at a statement; the others are things that actors do."""
ALL = tuple(Kind)
_OF_SERVERS = (Kind.CONNECTION_LOST, Kind.SERVER_RESTART)
_OF_FILES = (Kind.FSYNC_ERROR, Kind.POWER_CUT, Kind.TORN_COMMIT)
IN_FILES = tuple(kind for kind in ALL if kind not in _OF_SERVERS)
"""What can go wrong with a log in a file."""
ON_SERVERS = tuple(kind for kind in ALL if kind not in _OF_FILES)
"""What can go wrong with a log in a schema of PostgreSQL. What becomes of its files is the server's own business."""
