"""One connection of the official Python SDK to an ACP endpoint, which keeps all that comes in, in order."""
import asyncio

import acp
from acp.exceptions import RequestError
from acp.http.client import create_http_stream
from acp.schema import ClientCapabilities, Implementation
from acp.ws.client import create_websocket_stream


def plain(model):
    """A model of the SDK as the JSON it stands for."""
    return None if model is None else model.model_dump(mode="json", by_alias=True, exclude_none=True)


def describe(error):
    return {"name": type(error).__name__, "code": getattr(error, "code", None), "message": str(error),
            "data": getattr(error, "data", None)}


def select(option):
    return {"outcome": {"outcome": "selected", "optionId": option}}


def words_of(updates, kind="agent_message_chunk"):
    return "".join(update["content"]["text"] for update in updates if update["sessionUpdate"] == kind)


class Client:
    """An acp.Client; `permission` answers the agent's requests for one."""

    def __init__(self, setting, permission=None):
        self.cwd = setting["cwd"]
        self.over_http = setting["url"].startswith("http")
        self.events = []
        self.permission = permission or (lambda _: select("allow"))
        self._changed = asyncio.Condition()

    @classmethod
    async def open(cls, setting, permission=None, token=None):
        self = cls(setting, permission)
        token = token or setting.get("token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if setting["url"].startswith("ws"):
            transport = await create_websocket_stream(setting["url"], headers=headers)
        else:
            transport = create_http_stream(setting["url"], headers=headers)
        self.agent = acp.connect_to_agent(self, transport)
        setting["opened"].append(self)
        answer = await self.agent.initialize(
            protocol_version=acp.PROTOCOL_VERSION, client_capabilities=ClientCapabilities(),
            client_info=Implementation(name="acp-relay-tests", version="1"))
        self.initialized = plain(answer)
        return self

    async def close(self):
        await self.agent.close()

    # What the SDK calls.
    def on_connect(self, conn):
        pass

    async def session_update(self, session_id, update, **_):
        await self._record({"kind": "update", "sessionId": session_id, "update": plain(update)})

    async def request_permission(self, session_id, tool_call, options, **_):
        params = {"sessionId": session_id, "options": [plain(option) for option in options]}
        await self._record({"kind": "permission", "params": params})
        answer = self.permission(params)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return acp.RequestPermissionResponse.model_validate(answer)

    async def ext_method(self, method, params):
        await self._record({"kind": "request", "method": method, "params": params})
        raise RequestError.method_not_found(method)

    async def ext_notification(self, method, params):
        await self._record({"kind": "notification", "method": method, "params": params})

    async def _record(self, event):
        async with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    # What scenarios call.
    async def until(self, predicate, start=0):
        """The first event from number `start` on that the predicate likes."""
        async with self._changed:
            found = []

            def look():
                found[:] = [event for event in self.events[start:] if predicate(event)]
                return bool(found)

            await self._changed.wait_for(look)
            return found[0]

    async def new_session(self):
        return plain(await self.agent.new_session(cwd=self.cwd, mcp_servers=[]))

    async def prompt(self, session, text):
        """A turn: its stop reason, the agent's words, and the updates that came before the answer."""
        start = len(self.events)
        answer = await self.agent.prompt(session_id=session, prompt=[acp.text_block(text)])
        await self.settled(session)
        updates = self.updates(session, start)
        return {"stopReason": answer.stop_reason, "text": words_of(updates), "updates": updates}

    async def settled(self, session):
        """Over HTTP this SDK may hand out an answer before the updates that came in front of it."""
        if self.over_http:
            await refusal(self.agent.ext_method("tests/nothing", {"sessionId": session}))

    def updates(self, session, start=0):
        return [event["update"] for event in self.events[start:]
                if event["kind"] == "update" and event["sessionId"] == session]


async def refusal(call):
    """What a call is refused with; an answer is a failure."""
    try:
        result = await call
    except RequestError as error:
        return describe(error)
    raise AssertionError(f"it was answered with {result!r}")
