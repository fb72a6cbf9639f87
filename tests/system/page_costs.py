"""What a page costs a visitor who comes for the first time: bytes, requests, and time on a slow device.

Counted by Chromium itself over its DevTools protocol, each page in a context of its own with an empty cache.
"""

import json
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, StorageState

__all__ = ["PageCost", "cost_of"]

_WATCH = """
window.__cost = {paint: 0};
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) window.__cost.paint = entry.startTime;
}).observe({type: 'largest-contentful-paint', buffered: true});
"""
_READ = """() => ({
    ...window.__cost,
    loaded: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
    nodes: document.getElementsByTagName('*').length,
})"""
_SHORT_TASK_MS = 50.0
_QUIET_MS = 500
"""So long after the load event a page is watched still."""


@dataclass(frozen=True, slots=True)
class PageCost:
    """Of one page: bytes as they came over the line, with headers; times in ms from the start of the visit.

    `blocking_ms` is Lighthouse's total blocking time, what tasks take beyond 50 ms each, counted from the
    start until half a second after the load event; but in processor time of the page's thread, so that what
    else the machine does is not the page's fault.
    """

    path: str
    transfer_bytes: int
    requests: int
    foreign: tuple[str, ...]
    loaded_ms: float
    paint_ms: float
    blocking_ms: float
    nodes: int


def cost_of(
    browser: Browser, hub: str, path: str, *, signed_in: StorageState | None = None, slowdown: int = 1
) -> PageCost:
    """Visit a page of a hub, which must answer well, with a processor that is so many times slower."""
    context = browser.new_context(
        locale="en-GB", viewport={"width": 1280, "height": 800}, storage_state=signed_in
    )
    try:
        context.add_init_script(_WATCH)
        page = context.new_page()
        protocol = context.new_cdp_session(page)
        sizes: list[int] = []
        asked: list[str] = []
        protocol.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
        protocol.on("Network.requestWillBeSent", lambda event: asked.append(str(event["request"]["url"])))
        protocol.send("Network.enable")
        protocol.send("Network.setCacheDisabled", {"cacheDisabled": True})
        protocol.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
        browser.start_tracing(page=page, categories=["toplevel"])
        answer = page.goto(hub + path, wait_until="load")
        assert answer is not None
        assert answer.ok, f"{path} answers {answer.status}"
        page.wait_for_timeout(_QUIET_MS)
        blocking_ms = _blocking_ms(json.loads(browser.stop_tracing()))
        said: dict[str, Any] = page.evaluate(_READ)
    finally:
        context.close()
    own = [url for url in asked if not url.startswith(("data:", "blob:"))]
    return PageCost(
        path,
        sum(sizes),
        len(own),
        tuple(url for url in own if not url.startswith(f"{hub}/")),
        float(said["loaded"]),
        float(said["paint"]),
        blocking_ms,
        int(said["nodes"]),
    )


def _blocking_ms(trace: dict[str, Any]) -> float:
    """Of the renderer that is blocked longest: one that is kept ready for a next page has little to do."""
    mains = {
        (event["pid"], event["tid"]): 0.0
        for event in trace["traceEvents"]
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in trace["traceEvents"]:
        thread = (event["pid"], event["tid"])
        if thread in mains and event["name"] == "ThreadControllerImpl::RunTask":
            mains[thread] += max(0.0, event.get("tdur", 0) / 1000 - _SHORT_TASK_MS)
    return max(mains.values())
