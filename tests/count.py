"""Counts the test cases of a Bazel run: count.py EVENTS STATUS.

EVENTS is the file that --build_event_json_file wrote, STATUS the exit status of Bazel. Prints a line for each test case
that failed and each target that did not build, and closes with "N passed, N failed". Exits with 0 if there were test
cases, none failed, and Bazel says so too.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree


def cases(path):
    """Yields (name, outcome) of each test case in a test.xml; the outcome is 'passed', 'failed' or 'skipped'."""
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        name = ".".join(filter(None, [case.get("classname"), case.get("name")]))
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif case.get("result") in ("skipped", "suppressed") or case.get("status") == "notrun":
            yield name, "skipped"
        else:
            yield name, "passed"


def main():
    passed, failures, skipped = 0, [], []
    with open(sys.argv[1], encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines if line.strip()]
    for event in events:
        if "targetCompleted" in event["id"] and not event.get("completed", {}).get("success"):
            failures.append(event["id"]["targetCompleted"]["label"] + " did not build")
        if "testResult" not in event["id"]:
            continue
        label = event["id"]["testResult"]["label"]
        result = event["testResult"]
        found_failure = False
        for output in result.get("testActionOutput", []):
            if output["name"] != "test.xml":
                continue
            try:
                outcomes = list(cases(urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)))
            except (OSError, xml.etree.ElementTree.ParseError) as error:
                failures.append("%s: its results cannot be read: %s" % (label, error))
                found_failure = True
                continue
            for name, outcome in outcomes:
                if outcome == "failed":
                    failures.append("%s %s" % (label, name))
                    found_failure = True
                elif outcome == "skipped":
                    skipped.append("%s %s" % (label, name))
                else:
                    passed += 1
        if result.get("status") != "PASSED" and not found_failure:
            failures.append("%s broke off: %s" % (label, result.get("status", "no status")))
    status = int(sys.argv[2])
    if status == 4:
        status = 0  # There are no tests, which is said below.
    if status and not failures:
        failures.append("the build (Bazel's exit status is %d)" % status)
    for line in skipped:
        print("SKIPPED  " + line)
    for line in failures:
        print("FAILED  " + line)
    if not passed and not failures:
        print("There are no test cases.")
    print("%d passed, %d failed" % (passed, len(failures)))
    return 0 if passed and not failures else 1


sys.exit(main())
