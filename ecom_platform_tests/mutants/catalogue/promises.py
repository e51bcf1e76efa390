"""The lines of docs/guarantees.md that mutants attack, by their first column, word for word."""

ONCE = "An `event_id` is never stored twice, whatever its `event_time`"
COUNTS = "For every file and in total, `read = inserted + updated + stale + duplicate + rejected`"
ONE_PLACE = (
    "A row that is not in `user_events` is in `rejected_events` with file, line, bytes and reason, or is "
    "counted as a duplicate"
)
KILLED = "Killing any process at any moment changes none of these"
DROPPED_AGAIN = "Dropping the same files again changes nothing, and mends deleted rows"
LOST_COMMIT = "A lost answer to COMMIT is neither a loss nor a duplicate"
DEADLOCK = "Units never deadlock"
LANDED = "What has landed is loaded, also after runs, processes or the whole UI were killed"
BEING_WRITTEN = "A file that is still being written is not half loaded"
ONE_BAD = "One bad row does not cost its file, one bad file does not cost its unit"
DELETED = "Rows deleted behind the platform's back are noticed"
UNLIKE = "A file that is unlike the 20 of its feed before it is named, with what is unlike and what was usual"
LARGE_TABLE = "Also of a table that is too large to be read by every run, and by the next run"
ROLLUPS = (
    "`hourly_sales` and `conversion_funnel` are what counting everything anew gives, whatever came late, was "
    "replayed, loaded again, changed or deleted, and in whatever order it was committed"
)
RESTORED = "A database restored from a backup is made whole, also from one made during a load"
AS_WRITTEN = (
    "Text, times and numbers are stored and read as they were written, whatever the shell, the role or the "
    "database have as defaults"
)
SHELL = "Nothing of the shell reaches the embedded server's clients"
SESSIONS = (
    "What one part of a program sets, locks or leaves in a session of PostgreSQL no other part meets, and a "
    "restart or a lost network meanwhile fails nobody"
)
ONE_SCHEMA = (
    "All rows are in one schema, and two platforms in one database neither see nor wait for each other"
)
PLACED = "A file goes to the feed whose header it has, or waits and says what it is; nothing is guessed"
NOT_OVERWRITTEN = "Nobody's file is overwritten"
ONLY_FILES = (
    "Only files are read: nothing that a link points to gets into the tables, no pipe holds a load up"
)
TOLD_ONCE = "A failed check is told, once, and so is its end"
EVERY_TARGET = "An alert that is raised reaches every target that comes back within a week, at least once"
NO_SECRET = "No secret is in a message, the log, the tables or the UI"
STAYS_RED = "A check that was red on the whole table stays red until the whole was found right"
WENT_BACK = (
    "A database that went back in time (a failover to a standby that lagged, a restore) is noticed, in the "
    "middle of a run and afterwards"
)
FEED_ONCE = (
    "Every row of a declared feed is in its table once by what it is known by (its key, its content, its "
    "place), whatever dress its file wears, and a file dropped again inserts nothing"
)
FEED_WRONG = (
    "A feed whose declaration or table is wrong holds up no other, and says what is wrong with file, line "
    "and remedy"
)
FORMATS = (
    "Of JSON lines and Parquet every record is a row or a reject, with every digit that it has; what is cut "
    "off is never read as whole"
)
DRAFTED = (
    "Every row that `ecom feeds init` has read loads with the declaration that it writes, and what no value "
    "decides it does not write"
)
TABLE_CHANGED = (
    "A changed declaration loses no row, nor changes what one means, by itself: a load does only what "
    "touches none"
)
REBUILT = (
    "A table that is made anew is what the declaration would have made of the same files from the first; "
    "killed at any moment, the old or the new one is whole; what the archive does not have is refused or kept"
)
UNLOADED = "After `ecom unload`, table, ledger and rejects are what the other files alone make"
RENAMED = (
    "A feed that is renamed or removed loses no file, and its rows no id; killed in between, it is finished "
    "by running it again"
)
NEWEST = (
    "Of rows of one key the newest is stored, whatever is loaded first (`on_conflict: update`); what is "
    "brought back is no newer than it was"
)
OTHER_PROJECT = (
    "In another Dagster project a feed is what it is here: loaded by the sensor, checked, and known to "
    "`ecom` by the same declaration"
)
BUCKET_SENSOR = (
    "What has landed in a bucket is loaded by the sensor as from a folder: one run for a set, the "
    "same set after a kill, none beside others; a store that is away is a skip with its reason, then "
    "an alert, and nothing is lost"
)
BUCKET_LIVE = (
    "Live mode on a bucket loads each object once as it lands, the same key and bytes again as "
    "another file; a store that is away is a pause; a bounded run beside it accounts for its own "
    "objects"
)
BUCKET_LEFT = (
    "In a bucket that may only be read each version of an object is loaded once, and nothing is "
    "written; killed at any moment, nothing is to be put right"
)
BUCKET_CLUSTER = (
    "A cluster whose workers share no folder with the driver loads from a bucket, each executor with "
    "credentials of its own; one without is named before any work is given out"
)
BUCKET_ON_CALL = (
    "On a bucket the person on call has what a folder has: `trace`, `reload`, `rejects replay`, "
    "`reconcile`, `unload`, `feeds rebuild` and `add-column` of every feed; what lands again keeps the "
    "landing it had, replaces nothing, and is lost by no kill and no lost answer"
)
