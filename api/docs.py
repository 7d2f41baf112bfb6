"""The page at /docs: Swagger UI over the OpenAPI document, with nothing fetched from anyone else's host.

FastAPI's own page loads its script from a CDN: blank on a closed network, and someone else's code on an open one.
"""

from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

ASSETS = files("fastapi_swagger") / "resources"  # this package is used for the files it brings, and for nothing else
NAMES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")


def docs_routes(title: str) -> list[BaseRoute]:
    """Return the routes of the page and of what it loads; `/` leads to it, for whoever opens the address."""
    script, style, icon = (f"docs/{name}" for name in NAMES)  # relative: they hold behind any prefix of a proxy
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
        swagger_ui_parameters={"tryItOutEnabled": True, "displayRequestDuration": True},
    )

    async def show(_: Request) -> Response:
        return page

    async def lead(_: Request) -> Response:
        return RedirectResponse("docs")

    return [Route("/", lead), Route("/docs", show), *map(_asset, NAMES)]


def _asset(name: str) -> Route:
    path = str(ASSETS / name)

    async def send(_: Request) -> Response:
        return FileResponse(path, headers={"Cache-Control": "public, max-age=86400"})

    return Route(f"/docs/{name}", send)
