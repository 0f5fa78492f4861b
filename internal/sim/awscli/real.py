"""The AWS CLI, kept running, because it takes a second to start. Each line of standard input is the words of a command line as JSON, without
the first; each line of the answer is its exit code, and what it wrote."""
import contextlib
import io
import json
import sys

import awscli.clidriver

answers, driver = sys.stdout, awscli.clidriver.create_clidriver()
for line in sys.stdin:
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        try:
            code = driver.main(json.loads(line))
        except SystemExit as end:
            code = end.code
    text = written.buffer.getvalue().decode("utf-8", "replace")
    print(json.dumps({"code": code or 0, "text": text}), file=answers, flush=True)
