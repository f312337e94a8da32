# ruff: noqa: E501
"""Write the fixtures of this folder: the byte layouts of real exports with invented shops, posts and orders.

Run ``python tests/exports/make_fixtures.py``; a test checks that the files here are what it writes.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from containers import Cell, xls_bytes, xlsx_bytes, zip_bytes

HERE = Path(__file__).resolve().parent / "files"
Row = Sequence[object]
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PACIFIC = dt.timedelta(hours=-8)
UTC = dt.UTC


def table(
    rows: Iterable[Row], *, delimiter: str = ",", end: str = "\n", quote: int = csv.QUOTE_MINIMAL
) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quote).writerows(rows)
    return out.getvalue()


def bom8(text: str) -> bytes:
    return b"\xef\xbb\xbf" + text.encode()


def utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def milliseconds(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)


def tweet_id(moment: dt.datetime) -> str:
    return str((milliseconds(moment) - 1288834974657) << 22 | 7)


def tiktok_id(moment: dt.datetime) -> str:
    return str(int(moment.timestamp()) << 32 | 99)


def shortcode(moment: dt.datetime, salt: int = 5) -> str:
    number = (milliseconds(moment) - 1314220021721) << 23 | salt
    out = ""
    for _ in range(11):
        number, rest = divmod(number, 64)
        out = _ALPHABET[rest] + out
    return out


# moments (UTC, winter) at which the invented shop posted
MOMENTS = [at(f"2026-01-{day:02d}T{hour:02d}:{minute:02d}:00") for day, hour, minute in (
    (5, 9, 30), (6, 17, 5), (8, 3, 45), (9, 12, 0), (12, 19, 20), (13, 7, 10), (15, 15, 55), (17, 11, 25), (19, 1, 40),
    (21, 20, 15), (23, 13, 35), (26, 8, 50),
)]  # fmt: skip


def pacific(moment: dt.datetime) -> str:
    return (moment + PACIFIC).strftime("%m/%d/%Y %H:%M")


FB_HEAD = [
    "Post ID", "Page ID", "Page name", "Title", "Description", "Duration (sec)", "Publish time", "Caption type", "Permalink",
    "Is crosspost", "Is share", "Post type", "Languages", "Custom labels", "Funded content status", "Data comment", "Date",
]  # fmt: skip


def fb_row(i: int, when: str, *, date: str = "Lifetime", crosspost: int = 0) -> list[object]:
    caption = f'Новинка {i}: soap, candles\nand "two" lines 🎉' if i % 2 else f"Post number {i}"
    return [
        900000000000000 + i * 977, 700000000000001, "Maple & Moss", "", caption, 0, when, "N/A",
        f"https://www.facebook.com/maplemoss/posts/{i}", crosspost, 0, "Photo" if i % 3 else "Videos", "", "", "", "", date,
    ]  # fmt: skip


def meta_fb_posts_2024() -> bytes:
    head = [*FB_HEAD, "IMPRESSION:UNIQUE_USERS", "Reach", "Impressions", "Reactions, Comments and Shares", "Reactions",
            "Comments", "Shares", "Total clicks", "Other Clicks", "Link Clicks", "Negative feedback from users: Hide all"]  # fmt: skip
    rows = []
    for i in range(12):
        month = 12 if i < 6 else 2
        when = f"{month:02d}/{3 + i:02d}/{2023 if i < 6 else 2024} {1 + i % 10:02d}:{month:02d}"
        likes, comments, shares = 40 + i, 5 + i % 4, i
        rows.append([*fb_row(i, when), "", 3000 + 10 * i, 4000 + 10 * i, likes + comments + shares, likes, comments, shares,
                     90 + i, 70 + i, i or "", ""])  # fmt: skip
    failed = [""] * 15 + ["An error occurred while computing metadata for con...", "Lifetime", 51] + [""] * 10
    rows.insert(3, failed)
    rows.append([*failed[:17], 86, *failed[18:]])
    return bom8(table([head, *rows]))


def meta_fb_posts_2026() -> bytes:
    head = [*FB_HEAD, "Views", "Reach", "Reactions, comments and shares", "Reactions", "Comments", "Shares", "Seconds viewed",
            "Average Seconds viewed", "Estimated earnings (USD)", "Ad CPM (USD)", "Ad impressions", "Total clicks",
            "Other clicks", "Link clicks", "Negative feedback from users: Hide"]  # fmt: skip
    rows = [
        [*fb_row(500 + i, pacific(moment), crosspost=int(i == 2)), 2500 + i, 2300 + 7 * i, 15 + 2 * i, 10 + i, 3, 2 + i, 4126.609 + i,
         1.82, 0, 0, 0, 8 + i, 5 + i, 3, ""]
        for i, moment in enumerate(MOMENTS[:8])
    ]  # fmt: skip
    return bom8(table([head, *rows]))


def meta_fb_daily() -> bytes:
    head = [*FB_HEAD, "Reactions, comments and shares", "Reactions", "Comments", "Shares", "Seconds viewed"]
    rows = []
    for i in range(3):
        born = MOMENTS[i] + PACIFIC
        for day in range(4, 9):
            zero = dt.date(2026, 1, day) < born.date()
            likes = 0 if zero else 3 + i + day % 3
            rows.append(
                [
                    *fb_row(i, born.strftime("%m/%d/%Y %H:%M"), date=f"01/{day:02d}/2026"),
                    likes,
                    likes,
                    0,
                    0,
                    0,
                ]
            )
    return bom8(table([head, *rows]))


def meta_fb_split() -> bytes:
    head = [*FB_HEAD, "Reach from Organic posts", "Reach from Boosted posts", "Views from Organic posts",
            "Views from Boosted posts", "Reactions", "Comments", "Shares"]  # fmt: skip
    rows = [
        [
            *fb_row(i, pacific(moment)),
            900 + i,
            400 if i == 1 else 0,
            1000 + i,
            450 if i == 1 else 0,
            20 + i,
            2,
            1,
        ]
        for i, moment in enumerate(MOMENTS[:4])
    ]
    return bom8(table([head, *rows]))


def meta_fb_videos_es() -> bytes:
    head = ["Identificador de la pieza de vídeo", "Identificador de vídeo universal", "Identificador de la página",
            "Hora de publicación", "Enlace permanente", "Tipo de publicación", "Fecha", "Visualizaciones de vídeo de 3 segundos",
            "Alcance", "Reacciones", "Comentarios"]  # fmt: skip
    rows = [
        [800 + i, 900 + i, 700000000000001, pacific(moment), f"https://www.facebook.com/v/{i}", "Vídeo", "Total", 28 + i,
         0 if i == 0 else 50 + i, 4 + i, i]
        for i, moment in enumerate(MOMENTS[:3])
    ]  # fmt: skip
    return bom8(table([head, *rows]))


def ig_rows(moments: Sequence[dt.datetime], kind: str, *, dotted: bool = False) -> list[list[object]]:
    rows = []
    for i, moment in enumerate(moments):
        local = moment + PACIFIC
        when = local.strftime("%d.%m.%Y %H:%M") if dotted else local.strftime("%m/%d/%Y %H:%M")
        rows.append([
            f"1800000000000{i:04d}1", "17840000000000001", "maplemoss", "Maple & Moss", f"Soap, nr {i}\nline two", 10 + i, when,
            f"https://www.instagram.com/reel/{shortcode(moment)}/", kind, "", "Lifetime",
        ])  # fmt: skip
    return rows


def meta_ig_posts() -> bytes:
    head = ["Post ID", "Account ID", "Account username", "Account name", "Description", "Duration (sec)", "Publish time",
            "Permalink", "Post type", "Data comment", "Date", "Views", "Reach", "Likes", "Shares", "Follows", "Comments", "Saves"]  # fmt: skip
    rows = [
        [*row, 5000 + 31 * i, 4000 + 17 * i, 120 + i, 10 + i, i % 3, 9 + i % 5, 14 + i]
        for i, row in enumerate(ig_rows(MOMENTS, "IG reel"))
    ]
    rows[4][1:4] = ["17849999999999999", "somebodyelse", "Somebody Else"]
    rows[4][12], rows[4][15], rows[4][17] = "", "", 0
    return bom8(table([head, *rows]))


def meta_ig_stories() -> bytes:
    head = ["Post ID", "Account ID", "Account username", "Account name", "Description", "Duration (sec)", "Publish time",
            "Permalink", "Post type", "Data comment", "Date", "Views", "Reach", "Likes", "Shares", "Profile visits", "Replies",
            "Link clicks", "Sticker taps", "Navigation", "Follows"]  # fmt: skip
    rows = ig_rows(MOMENTS[:6], "IG story")
    for i, row in enumerate(rows):
        row[7] = (
            f"https://www.instagram.com/stories/maplemoss/{(milliseconds(MOMENTS[i]) - 1314220021721) << 23 | 3}"
        )
    rows = [
        [*row, 300 + i, 250 + i, 3 + i, i, 2, i % 2, "", "", 400, "" if i % 2 else 1]
        for i, row in enumerate(rows)
    ]
    return bom8(table([head, *rows]))


def meta_ig_posts_es() -> bytes:
    head = ["identificador de la publicación", "Identificador de la cuenta", "Nombre de usuario de la cuenta",
            "Nombre de la cuenta", "Descripción", "Duración (segundos)", "Hora de publicación", "Enlace permanente",
            "Tipo de publicación", "Comentario sobre los datos", "Fecha", "Visualizaciones", "Alcance", "Me gusta",
            "Veces que se ha compartido", "Seguidores", "Comentarios", "Veces guardado"]  # fmt: skip
    rows = [
        [*row[:10], "Total", 900 + i, 800 + i, 30 + i, 2, i, 4, 5]
        for i, row in enumerate(ig_rows(MOMENTS[:5], "Reel de Instagram"))
    ]
    return bom8(table([head, *rows]))


def meta_ig_posts_nl() -> bytes:
    head = ["Bericht-ID", "account-id", "Gebruikersnaam account", "Accountnaam", "Omschrijving", "Duur (sec.)",
            "Publicatietijdstip", "Permalink", "Berichttype", "Datum", "Weergaven", "Bereik", "Vind-ik-leuks",
            "Aantal keer gedeeld", "Volgt", "Opmerkingen", "Aantal keer opgeslagen"]  # fmt: skip
    rows = [
        [*row[:9], "Lifetime", 700 + i, 600 + i, 20 + i, 1, i, 3, 2]
        for i, row in enumerate(ig_rows(MOMENTS[:5], "IG-reel"))
    ]
    return bom8(table([head, *rows]))


def meta_ig_posts_de() -> bytes:
    head = ["Beitrags-ID", "Konto-Benutzername", "Veröffentlichungszeitpunkt", "Permalink", "Beitragstyp", "Datum", "Aufrufe",
            "Reichweite", "„Gefällt mir“-Angaben", "Geteilte Inhalte", "Follows", "Kommentare", "Gespeicherte Beiträge"]  # fmt: skip
    rows = [
        [
            row[0],
            row[2],
            row[6],
            row[7],
            row[8],
            "Gesamte Laufzeit",
            f"1.{200 + i}",
            f"1.{100 + i}",
            40 + i,
            2,
            i,
            3,
            4,
        ]
        for i, row in enumerate(ig_rows(MOMENTS[:5], "IG-Reel", dotted=True))
    ]
    return bom8(table([head, *rows], delimiter=";"))


def _days(count: int, first: str = "2026-01-01") -> list[dt.date]:
    start = dt.date.fromisoformat(first)
    return [start + dt.timedelta(days=n) for n in range(count)]


def meta_page_follows() -> bytes:
    lines = ["sep=,"]
    for title, base in (("Follows", 7), ("Instagram follows", 2)):
        lines += [f'"{title}"', '"Date","Primary"']
        lines += [f'"{day.isoformat()}T00:00:00","{base + n % 5}"' for n, day in enumerate(_days(9))]
        lines.append("")
    return utf16("\n".join(lines) + "\n")


def meta_page_reach_tab() -> bytes:
    lines = ["sep=\t"]
    for title, base in (("Facebook reach", 2700), ("Instagram reach", 30)):
        lines += [f"{title}\t", "Date\tPrimary"]
        lines += [f"{day.isoformat()}T00:00:00\t{base + 13 * n}" for n, day in enumerate(_days(9))]
        lines.append("\t")
    return utf16("\r\n".join(lines[:-1]))


def meta_audience() -> bytes:
    lines = ["sep=\t\t\t", "Facebook followers\t\t\t", "FB_PAGE\tFOLLOW\tUNIQUE_USERS\t", "30250\t\t\t", "\t\t\t",
             "Instagram followers\t\t\t", "IG_ACCOUNT\tFOLLOW\tUNIQUE_USERS\t", "3100\t\t\t", "\t\t\t",
             "Facebook followers by gender and age\t\t\t", "Age\tWomen\tMen\t", "18-24\t2.5%\t0.3%\t", "25-34\t18.7%\t2.4%\t",
             "\t\t\t", "Facebook followers by top cities\t\t\t", "Top cities\tValue\t\t", "Utrecht\t Netherlands\t15.3%\t"]  # fmt: skip
    return utf16("\r\n".join(lines))


def facebook_insights() -> bytes:
    head = ["Post ID", "Permalink", "Post Message", "Type", "Countries", "Languages", "Posted", "Audience Targeting",
            "Lifetime Post Total Reach", "Lifetime Post organic reach", "Lifetime Post Paid Reach",
            "Lifetime Post Total Impressions", "Lifetime Engaged Users", "Lifetime Post Consumptions",
            "Lifetime Talking About This (Post) by action type - like", "Lifetime Post Stories by action type - like",
            "Lifetime Post Stories by action type - comment", "Lifetime Post Stories by action type - share"]  # fmt: skip
    told = ["", "", "", "", "", "", "", "", *["Lifetime: The total number of people … (Unique Users)"] * 10]
    rows = [
        [f"700_{i}", f"https://www.facebook.com/p/{i}", "hello", "Photo", "", "", f"{1 + i}/{14 + i}/20 {8 + i}:05", "",
         500 + i, 400 + i, 100 if i == 2 else "", 800 + i, 40, 30 + i, 10, 12 + i, 2, 1]
        for i in range(4)
    ]  # fmt: skip
    return table([head, told, *rows]).encode()


def facebook_insights_xls() -> bytes:
    head = [
        "Post ID",
        "Permalink",
        "Post Message",
        "Type",
        "Posted",
        "Lifetime Post Total Reach",
        "Lifetime Post Total Impressions",
    ]
    told = ["", "", "", "", "", "Lifetime: The number of people", "Lifetime: The number of times"]
    rows = [
        [
            f"700_{i}",
            f"https://www.facebook.com/p/{i}",
            "x",
            "Link",
            f"01/{14 + i}/2020 08:05",
            500 + i,
            900 + i,
        ]
        for i in range(3)
    ]
    talk_head = ["Post ID", "Permalink", "Posted", "share", "like", "comment"]
    talk = [[f"700_{i}", "", "", 1, 10 + i, 2] for i in (2, 0, 1)]
    return xls_bytes({
        "Key Metrics": [head, told, *rows],
        "Lifetime Talking About This...": [talk_head, ["", "", "", "Lifetime: …", "Lifetime: …", "Lifetime: …"], *talk],
    })  # fmt: skip


ADS_HEAD = ["Reporting starts", "Reporting ends", "Campaign name", "Campaign delivery", "Ad set budget", "Ad set budget type",
            "Attribution setting", "Results", "Result indicator", "Reach", "Impressions", "Cost per results",
            "Amount spent (USD)", "Ends"]  # fmt: skip


def meta_ads_daily() -> bytes:
    rows = [
        [day, day, "Spring soap", "active", 10, "Daily", "7-day click or 1-day view", 3 + n, "actions:link_click", 500 + n,
         700 + n, 1.2, f"{9.5 + n:.2f}", "Ongoing"]
        for n, day in enumerate(_days(6))
    ]  # fmt: skip
    return table([ADS_HEAD, *rows], quote=csv.QUOTE_NONNUMERIC).encode()


def meta_ads_total_first() -> bytes:
    head = ["Reporting starts", "Reporting ends", "Ad name", "Ad delivery", "Attribution setting", "Results", "Reach",
            "Impressions", "Quality ranking", "Amount spent (UAH)", "Ends"]  # fmt: skip
    rows: list[list[Cell]] = [
        [*head],
        [
            "2026-01-01",
            "2026-02-28",
            None,
            None,
            "7-day click or 1-day view",
            None,
            1000,
            3300,
            "-",
            300.5,
            None,
        ],
    ]
    rows += [
        ["2026-01-01", "2026-02-28", f"Допис {i}…", "not_delivering", "7-day click or 1-day view", 40 + i, 700 + i, 1099 + i, "-",
         100.0 + i / 2, "2026-02-01"]
        for i in range(3)
    ]  # fmt: skip
    return xlsx_bytes({"Worksheet": rows})


def meta_ads_months() -> bytes:
    head = [
        "Month",
        "Region",
        "Reporting starts",
        "Reporting ends",
        "Campaign name",
        "Reach",
        "Impressions",
        "Amount spent (EUR)",
    ]
    rows = [
        [
            f"2026-0{m}-01 - 2026-0{m}-28",
            "Utrecht",
            "2026-01-01",
            "2026-03-11",
            "Soap",
            100 * m,
            200 * m,
            f"{12.5 * m:.2f}",
        ]
        for m in (1, 2)
    ]
    return table([head, *rows]).encode()


def meta_ads_no_data() -> bytes:
    return (table([ADS_HEAD], quote=csv.QUOTE_ALL) + '"No data available."\n').encode()


YT_HEAD = ["Content", "Video title", "Video publish time", "Duration", "Likes", "Comments added", "Shares", "Unique viewers",
           "Average view duration", "Viewed (vs. swiped away) (%)", "Views", "Watch time (hours)", "Subscribers",
           "Estimated revenue (USD)", "Impressions", "Impressions click-through rate (%)"]  # fmt: skip


def yt_rows() -> list[list[object]]:
    days = ["Dec 15, 2025", "Feb 2, 2026", "Jan 18, 2026", "Jan 21, 2026", ""]
    rows: list[list[object]] = [
        [f"vid{i}_Abc-{i}", f"How to make soap, part {i}", day, 60 + i, 130 + i, 4, 2, "", "0:00:2" + str(i), 40.5 + i, 4000 + i,
         19.3082, 3, 1.25, 600 + i, 4.53]
        for i, day in enumerate(days)
    ]  # fmt: skip
    total = ["Total", "", "", "", sum(130 + i for i in range(5)), 20, 10, 0, "0:00:22", 42.1, sum(4000 + i for i in range(5)),
             96.541, 15, 6.25, sum(600 + i for i in range(5)), 4.5]  # fmt: skip
    return [total, *rows]


def youtube_table() -> bytes:
    return table([YT_HEAD, *yt_rows()]).encode()


def youtube_table_es() -> bytes:
    head = ["Contenido", "Título del vídeo", "Hora de publicación del vídeo", "Duración", "Visualizaciones",
            "Tiempo de visualización (horas)", "Suscriptores", "Ingresos estimados (USD)", "Impresiones",
            "Porcentaje de clics de las impresiones (%)"]  # fmt: skip
    rows = [
        [f"es{i}", "jabón", f"Jan {10 + i}, 2026", 30, 500 + i, 2.5, 1, 0.5, 900 + i, 3.1] for i in range(4)
    ]
    return table([head, ["Total", "", "", "", 2006, 10.0, 4, 2.0, 3606, 3.1], *rows]).encode()


def youtube_table_ru() -> bytes:
    head = ["Контент", "Название видео", "Время публикации видео", "Продолжительность", "Просмотры", "Время просмотра (часы)",
            "Подписчики", "Показы значков видео", "CTR для значков видео (%)", 'Отметки "Нравится"', "Комментарии", "Поделились"]  # fmt: skip
    rows = [
        [f"ru{i}", "мыло", f"{10 + i} янв. 2026 г.", 30, 500 + i, "2.5", 1, 900, 3.1, 40 + i, 2, 1]
        for i in range(4)
    ]
    return table([head, ["Итоговое значение", "", "", "", 2006, 10, 4, 3600, 3.1, 166, 8, 4], *rows]).encode()


def youtube_totals() -> bytes:
    return table([["Date", "Views"], *([day, 300 + n] for n, day in enumerate(_days(10)))]).encode()


def youtube_geography() -> bytes:
    rows = [["Total", 900, "0:04:34", 11.5], ["NL", 600, "0:05:42", 8.1], ["DE", 300, "0:03:08", 3.4]]
    return table([["Geography", "Views", "Average view duration", "Watch time (hours)"], *rows]).encode()


def youtube_zip() -> bytes:
    chart = table([["Date", "Content", "Views"], ["2026-01-01", "vid0_Abc-0", 20]]).encode()
    return zip_bytes(
        {"Table data.csv": youtube_table(), "Totals.csv": youtube_totals(), "Chart data.csv": chart}
    )


TIKTOK = [
    at("2025-07-16T10:21:48"),
    at("2025-09-04T01:08:27"),
    at("2025-12-30T20:00:00"),
    at("2026-02-01T09:15:00"),
]


def own_table() -> bytes:
    """Weeks of two shops, put together by hand."""
    rows = [
        [shop, day.isoformat(), 30 + 3 * i, 4 + i % 3, f"{400 + 20 * i}.50", 8 + i % 4]
        for shop in ("Maple", "Birch")
        for i, day in enumerate(_days(70)[4::7])
    ]
    return table([["Shop", "Week", "Likes", "Comments", "Revenue", "Orders"], *rows]).encode()


def tiktok_content() -> bytes:
    head = [
        "Time",
        "Video title",
        "Video link",
        "Post time",
        "Total likes",
        "Total comments",
        "Total shares",
        "Total views",
    ]
    names = ["July 16", "September 3", "December 30", "February 1"]
    rows = [
        ["February 28", "" if i == 2 else f"Soap 🧼 {i} #soap", f"https://www.tiktok.com/@maplemoss/video/{tiktok_id(moment)}", name,
         530 + i, 32, 16, 19000 + i]
        for i, (moment, name) in enumerate(zip(TIKTOK, names, strict=True))
    ]  # fmt: skip
    return bom8(table([head, *rows], quote=csv.QUOTE_ALL))


def _yearless(days: Iterable[dt.date]) -> list[str]:
    return [f"{day:%B} {day.day}" for day in days]


def tiktok_followers() -> bytes:
    head = ["Date", "Followers", "Difference in followers from previous day"]
    names = _yearless(_days(40, "2025-12-10"))
    rows = [[name, "undefined" if n < 5 else 30 + 9 * n, 0 if n < 5 else 9] for n, name in enumerate(names)]
    return bom8(table([head, *rows], quote=csv.QUOTE_ALL))


def tiktok_overview() -> bytes:
    head = ["Date", "Video Views", "Profile Views", "Likes", "Comments", "Shares"]
    rows = [
        [name, 800 + n, 50, 70 + n % 7, 12, 3] for n, name in enumerate(_yearless(_days(40, "2025-12-10")))
    ]
    return bom8(table([head, *rows], quote=csv.QUOTE_ALL))


def tiktok_viewers() -> bytes:
    head = ["Date", "Total Viewers", "New Viewers", "Returning Viewers"]
    rows = [
        [name, 90 + n, "undefined" if n < 3 else 50, 40]
        for n, name in enumerate(_yearless(_days(20, "2025-12-20")))
    ]
    return bom8(table([head, *rows], quote=csv.QUOTE_ALL))


def tiktok_gender() -> bytes:
    return bom8(
        table([["Gender", "Distribution"], ["Female", "73.7"], ["Male", "26.3"]], quote=csv.QUOTE_ALL)
    )


TWEET_HEAD = ["Tweet id", "Tweet permalink", "Tweet text", "time", "impressions", "engagements", "engagement rate", "retweets",
              "replies", "likes", "user profile clicks", "url clicks", "hashtag clicks", "detail expands", "permalink clicks",
              "app opens", "app installs", "follows", "email tweet", "dial phone", "media views", "media engagements",
              "promoted impressions", "promoted engagements", "promoted likes"]  # fmt: skip


def tweet_activity() -> bytes:
    rows = []
    for i, moment in enumerate(MOMENTS[:7]):
        name = tweet_id(moment + dt.timedelta(seconds=21))
        seen = 500.0 + i
        rows.append([
            name, f"https://twitter.com/maplemoss/status/{name}", "@friend hi" if i % 2 else "New soap, just in\nline two",
            moment.strftime("%Y-%m-%d %H:%M +0000"), seen, 20.0 + i, (20.0 + i) / seen, 2.0, 1.0, 5.0 + i, 3.0, 4.0, 0.0, 5.0,
            0.0, "0", "0", "0", "0", "0", "36", "36", "-", "-", "-",
        ])  # fmt: skip
    return table([TWEET_HEAD, *rows], quote=csv.QUOTE_ALL).encode()


def tweet_activity_resaved() -> bytes:
    head = [*TWEET_HEAD[:9], "favorites", *TWEET_HEAD[10:13]]
    rows = []
    for i, moment in enumerate(MOMENTS[:5]):
        name = tweet_id(moment)
        rows.append(["2.01E+18", f"https://twitter.com/maplemoss/status/{name}", "café crème", "2016-06-20 21:56:23", 424 + i, 3,
                     0.007, 2, 0, 2 + i, 0, 1, 0])  # fmt: skip
    return table([head, *rows], end="\r\n").encode("cp1252")


def x_content() -> bytes:
    head = ["Post id", "Date", "Post text", "Link", "Impressions", "Likes", "Engagements", "Bookmarks", "Share", "New follows",
            "Replies", "Reposts", "Profile visits", "Detail expands", "Url clicks", "Hashtag clicks", "Permalink clicks"]  # fmt: skip
    rows = []
    for i, moment in enumerate(MOMENTS[:8]):
        name = tweet_id(moment)
        local = moment + dt.timedelta(hours=1)
        rows.append([name, local.strftime("%a %b ") + f"{local.day} {local.year}", "Soap, ❗️new", f"https://x.com/maplemoss/status/{name}",
                     70 + i, 3 + i, 9 + i, 1, 0, 0, 1, 2, 1, 1, 0, 0, 0])  # fmt: skip
    return table([head, *rows], end="\r\n").encode()


def x_overview() -> bytes:
    head = ["Date", "Impressions", "Likes", "Engagements", "Bookmarks", "Shares", "New follows", "Unfollows", "Replies", "Reposts",
            "Profile visits", "Create Post", "Video views", "Media views"]  # fmt: skip
    days = list(reversed(_days(9, "2026-02-10")))
    rows = [
        [f"{day:%a}, {day:%b} {day.day}, {day.year}", 400 + n, 10 + n, 20, 1, 0, 2, 1, 3, 1, 6, 1, 0, 0]
        for n, day in enumerate(days)
    ]
    return table([head, *rows]).encode()


def linkedin_page_xls() -> bytes:
    metrics_head = ["Date", "Impressions (organic)", "Impressions (sponsored)", "Impressions (total)", "Unique impressions (organic)",
                    "Clicks (organic)", "Clicks (total)", "Reactions (total)", "Comments (total)", "Reposts (total)",
                    "Engagement rate (total)"]  # fmt: skip
    days = [
        [f"{day:%m/%d/%Y}", 100 + n, 0, 100 + n, 80 + n, 5, 5 if n != 3 else -2, 7, 1, 1, 0.05]
        for n, day in enumerate(_days(20, "2026-01-05"))
    ]
    posts_head = ["Post title", "Post link", "Post type", "Campaign name", "Posted by", "Created date", "Audience", "Impressions",
                  "Views (excluding offsite video views)", "Clicks", "Click through rate (CTR)", "Likes", "Comments", "Reposts",
                  "Follows", "Engagement rate", "Content Type"]  # fmt: skip
    posts = [
        [f"Soap {i}", f"https://www.linkedin.com/feed/update/urn:li:activity:70{i}", "Organic", "", "Ann Example", f"01/{13 + i}/2026",
         "All followers", 900 + i, "", 20 + i, 0.02, 30 + i, 4, 2, 1, 0.06, "Image"]
        for i in range(6)
    ]  # fmt: skip
    told = ["Aggregated metrics for your page, from 01/05/2026 to 01/24/2026"]
    return xls_bytes(
        {
            "Metrics": [told, metrics_head, *days],
            "All posts": [["All posts of the range"], posts_head, *posts],
        }
    )


def linkedin_followers_xls() -> bytes:
    head = ["Date", "Sponsored followers", "Organic followers", "Auto-invited followers", "Total followers"]
    return xls_bytes(
        {
            "New followers": [
                head,
                *(
                    [f"{day:%m/%d/%Y}", 0, 3 + n % 3, 1, 4 + n % 3]
                    for n, day in enumerate(_days(15, "2026-01-05"))
                ),
            ]
        }
    )


def linkedin_creator_xlsx() -> bytes:
    left = [
        (f"https://www.linkedin.com/feed/update/urn:li:share:{i}", f"1/{13 + i}/2026", 90 - i)
        for i in range(5)
    ]
    right = [
        (f"https://www.linkedin.com/feed/update/urn:li:share:{i}", f"1/{13 + i}/2026", 900 - i)
        for i in (2, 0, 7, 1)
    ]
    top: list[list[Cell]] = [["Maximum of 50 posts available to include in this list"], [],
                             ["Post URL", "Post publish date", "Engagements", None, "Post URL", "Post publish date", "Impressions"]]  # fmt: skip
    for i, row in enumerate(left):
        other = right[i] if i < len(right) else (None, None, None)
        top.append([*row, None, *other])
    return xlsx_bytes({
        "DISCOVERY": [["Overall Performance", "1/5/2026 - 1/24/2026"], ["Impressions", 5000], ["Members reached", 2100]],
        "ENGAGEMENT": [["Date", "Impressions", "Engagements"], *([f"1/{n}/2026", 50 + n, 5] for n in range(5, 20))],
        "TOP POSTS": top,
        "FOLLOWERS": [["Total followers on 1/24/2026:", 1234], [], ["Date", "New followers"], *([f"1/{n}/2026", n % 4] for n in range(5, 20))],
        "DEMOGRAPHICS": [["Top Demographics", "Value", "Percentage"], ["Job titles", "Founder", 0.1]],
    })  # fmt: skip


def crowdtangle_fb() -> bytes:
    head = ["Page Name", "User Name", "Facebook Id", "Page Category", "Page Description", "Page Created", "Likes at Posting",
            "Followers at Posting", "Post Created", "Post Created Date", "Post Created Time", "Type", "Total Interactions", "Likes",
            "Comments", "Shares", "Love", "Wow", "Haha", "Sad", "Angry", "Care", "Post Views", "Total Views", "URL", "Message",
            "Overperforming Score (weighted  —  Likes 1x Shares 1x Comments 1x )"]  # fmt: skip
    rows = [
        ["Maple & Moss", "maplemoss", "70001", "SHOP", "", "2015-01-01 00:00:00", "1,900", "1,972" if i else "", f"2021-07-0{6 + i % 3} 16:45:2{i} EDT",
         "", "", "Photo", "1,214", "1,000", 100, 50, 40, 10, 5, 4, 3, 2, 0, 0, f"https://www.facebook.com/70001/posts/{i}", "hello", "-1.2"]
        for i in range(5)
    ]  # fmt: skip
    return bom8(table([head, *rows]))


def crowdtangle_ig() -> bytes:
    head = ["Account", "User Name", "Followers at Posting", "Post Created", "Type", "Likes", "Comments", "Views", "URL", "Link", "Photo",
            "Title", "Description"]  # fmt: skip
    rows = [
        ["Maple & Moss", "maplemoss", "1,972,048", moment.strftime("%Y-%m-%d %H:%M:%S UTC"), "Photo", "1,0" + f"{10 + i}", 20, 0,
         f"https://www.instagram.com/p/{shortcode(moment)}/", "", "", "", "hi"]
        for i, moment in enumerate(MOMENTS[:4])
    ]  # fmt: skip
    return bom8(table([head, *rows]))


def fanpage_karma() -> bytes:
    head = ["Date", "network", "Network", "Profile", "Message", "Number of Likes", "Number of Comments (total)",
            "Number of Shares/Reposts/Quotes", "Reach per post", "Post interaction rate", "Impressions/views of posts", "Profile-ID",
            "Message-ID", "Link"]  # fmt: skip
    rows: list[list[Cell]] = [
        ["Fanpage Karma"],
        ["Period: 01.01.2026 - 31.01.2026"],
        ["Profiles: 2"],
        [],
        [*head],
    ]
    for i in range(6):
        network = "FACEBOOK" if i % 2 else "INSTAGRAM"
        rows.append([f"2026-01-{10 + i} 10:00:00", network.lower(), network, "Maple & Moss", "hi", 40 + i, 3, "-" if i % 2 == 0 else 1,
                     700 + i, 0.0123, 800 + i, "70001", f"m{i}", f"https://example.org/{i}"])  # fmt: skip
    return xlsx_bytes({"Posts": rows})


GA4_LINES = ["# ----------------------------------------", "# Report CSV Export", "# Account: Maple", "# Property: maple.example - GA4",
             "# ----------------------------------------", "# "]  # fmt: skip


def ga4_daily() -> bytes:
    rows = [
        (f"{day:%Y%m%d}", 900 - 7 * n, 300 - n, 3.5, 61.5, 200 - n, 100, 40 - n % 6, f"{1200.5 + n:.2f}")
        for n, day in enumerate(_days(30))
    ]
    rows.sort(key=lambda row: -row[1])
    lines = [*GA4_LINES, "# All Users", "# Start date: 20260101", "# End date: 20260130",
             "Date,Event count,Total users,Event count per user,Average session duration,New users,Sessions,Key events,Total revenue"]  # fmt: skip
    return ("\r\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\r\n").encode()


def ga4_es() -> bytes:
    lines = ["# ----------------------------------------", "# Exportar informe en formato CSV", "# Cuenta: Maple", "# Propiedad: tienda",
             "# ----------------------------------------", "# ", "# Fecha de inicio: 20260101", "# Fecha de finalización: 20260110",
             "Día N,Usuarios activos", *(f"{n:04d},{50 + n}" for n in range(10))]  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def ga4_multi() -> bytes:
    stated = ["# Start date: 20260101", "# End date: 20260110"]
    lines = [*GA4_LINES, *stated, "Nth day,Users", *(f"{n:04d},{100 + n}" for n in range(10)), "",
             "# How much revenue?", *stated, "Nth day,Total revenue", *(f"{n:04d},{10.5 + n}" for n in range(10)), "",
             *stated, "Nth day,Total purchasers", "", *stated, "Nth month,Max daily revenue,Average daily revenue", "",
             "#  ", *stated, "Nth day,Average engagement time", *(f"{n:04d},{20 + n}" for n in range(10)), "",
             "# Where from?", *stated, "Country ID,Users", "NL,800", "DE,200", ""]  # fmt: skip
    return ("\n".join(lines)).encode()


def ga4_events() -> bytes:
    lines = [*GA4_LINES, "# Start date: 20260101", "# End date: 20260331", "Event name,Event count,Total users,Event count per user,Total revenue",
             "page_view,1290,290,4.4,0", "(not set),50,20,2.5,0", "purchase,12,9,1.33,840.5", "Grand total,1352,310,4.3,840.5"]  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


def ga4_resaved() -> bytes:
    rows = [[f"{day:%d-%m-%Y}", 700 + n, 200, 80] for n, day in enumerate(_days(20, "2026-04-10"))]
    return table([["Date", "Event count", "Total users", "Sessions"], *rows]).encode()


ADS_TABLE = [
    ["Campaign status", "Campaign", "Budget", "Optimization score", "Campaign type", "Currency code", "Impr.", "Interactions",
     "Interaction rate", "Avg. cost", "Cost", "Search impr. share", "Conversions", "Cost / conv."],
    ["Enabled", "Soap - 2026", "5000.00", " --", "Video", "EUR", "25,881", "20,127", "77.77%", "0.08", "1661.67", "< 10%", "0.00", "0.00"],
    ["Enabled", "Candles", "500.00", " --", "Demand Gen", "EUR", "20,287", "1,934", "9.53%", "0.47", "904.26", " --", "15.00", "60.28"],
    ["Total: Campaigns", " --", " --", " --", " --", "EUR", "46,168", "22,061", "47.78%", "0.12", "2565.93", " --", "15.00"],
    ["Total: Account", " --", " --", " --", " --", "EUR", "46,168", "22,061", "47.78%", "0.12", "2565.93", " --", "15.00"],
]  # fmt: skip


def google_ads() -> bytes:
    return ('Campaign report\n"July 8, 2025 - July 31, 2025"\n' + table(ADS_TABLE)).encode()


def google_ads_tab() -> bytes:
    return utf16("Campaign report\n27 January 2026 - 23 February 2026\n" + table(ADS_TABLE, delimiter="\t"))


def google_ads_series() -> bytes:
    rows = [
        [f"{day:%a}, {day.day} {day:%b} {day.year}", 20 + n, 70 + n, f"US${1.5:.2f}", f"US${30 + n:.2f}"]
        for n, day in enumerate(_days(6, "2026-02-05"))
    ]
    return table([["Date", "Clicks", "Impressions", "Avg. CPC", "Cost"], *rows]).encode()


def matomo_days() -> bytes:
    rows = [[day, 50 + n, 120 + n, f"$ {10.5 + n}", 2, "00:12:49", "20%"] for n, day in enumerate(_days(12))]
    return utf16(
        table(
            [
                [
                    "date",
                    "nb_visits",
                    "nb_actions",
                    "revenue",
                    "nb_conversions",
                    "avg_time_on_site",
                    "bounce_rate",
                ],
                *rows,
            ]
        )
    )


def matomo_scheduled() -> bytes:
    return (b"Visits Summary\nnb_uniq_visitors,nb_visits,nb_actions,max_actions,nb_actions_per_visit,avg_time_on_site,bounce_rate\n"
            b"10,50,160,6,3.2,00:22:49,20%\n\nVisits by Server Time\nlabel,nb_visits,nb_actions,revenue\n0h,20,64,$ 10\n1h,30,96,$ 0\n\n"
            b"Ecommerce Orders\nnb_conversions,nb_visits_converted,revenue,items\n4,2,$ 351.11,12\n\nOutlinks\nNo data available\n")  # fmt: skip


SHOPIFY_HEAD = [
    "Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at", "Accepts Marketing", "Currency", "Subtotal",
    "Shipping", "Taxes", "Total", "Discount Code", "Discount Amount", "Shipping Method", "Created at", "Lineitem quantity",
    "Lineitem name", "Lineitem price", "Billing Name", "Billing Street", "Billing Phone", "Shipping Name", "Notes", "Note Attributes",
    "Cancelled at", "Payment Method", "Refunded Amount", "Vendor", "Id", "Source", "Phone", "Payment References",
]  # fmt: skip


def shopify_rows() -> list[list[object]]:
    rows: list[list[object]] = []
    for i in range(10):
        status = {3: "partially_refunded", 5: "pending", 7: "refunded", 8: "voided"}.get(i, "paid")
        created = f"2026-01-{5 + 2 * i:02d} 1{i}:20:57 -0800"
        back = {3: "10.00", 7: f"{50 + i}.06"}.get(i, "0.00")
        rows.append([
            f"#10{i:02d}", f"buyer{i}@example.org", status, created, "fulfilled", created, "yes", "CAD", f"{45 + i}.00", "5.06", "0.00",
            f"{50 + i}.06", "", "0.00", "Express", created, 1, "Soap, olive", "14.80", f"Buyer {i}", "1 Lane", "+1 555", f"Buyer {i}", "", "",
            "2026-01-30 10:00:00 -0800" if i == 9 else "", "Stripe", back, "Maple", 5000 + i, "web", "+1 555", "c1",
        ])  # fmt: skip
        for extra in range(i % 3):
            line: list[object] = [""] * len(SHOPIFY_HEAD)
            line[0], line[1], line[15], line[16], line[17], line[18] = (
                f"#10{i:02d}",
                f"buyer{i}@example.org",
                created,
                2,
                f"Candle {extra}",
                "9.99",
            )
            rows.append(line)
    return rows


def shopify_orders() -> bytes:
    return table([SHOPIFY_HEAD, *shopify_rows()]).encode()


def shopify_damaged() -> bytes:
    whole = table(shopify_rows(), end="\n").split("\n")[:-1]
    lines = [",".join(SHOPIFY_HEAD) + ";", *('"' + line.replace('"', '""') + ';"' for line in whole)]
    return ("\r\n".join(lines) + "\r\n").encode()


def shopify_sales() -> bytes:
    head = [
        "Day",
        "Orders",
        "Gross sales",
        "Discounts",
        "Sales reversals",
        "Net sales",
        "Shipping charges",
        "Duties",
        "Additional fees",
        "Taxes",
        "Total sales",
    ]
    rows = [
        [day, 3 + n % 4, 100 + n, -5, -2 * (n % 3), 95 + n - 2 * (n % 3), 10, 0, 0, 8, 113 + n - 2 * (n % 3)]
        for n, day in enumerate(_days(30))
    ]
    return table([head, *rows]).encode()


def woocommerce() -> bytes:
    head = [
        "Date",
        "Order #",
        "N. Revenue (formatted)",
        "Status",
        "Customer",
        "Customer type",
        "Product(s)",
        "Items sold",
        "Coupon(s)",
        "Net Sales",
        "Attribution",
    ]
    states = ["completed", "processing", "cancelled", "failed", "completed", "on-hold"]
    rows = [
        [
            f"2026-01-{10 + i} 09:30:00",
            100 + i,
            f"৳2,{900 + i}",
            state,
            f"Buyer {i}",
            "new",
            "1× Soap",
            1,
            "",
            2900 + i,
            "Direct",
        ]
        for i, state in enumerate(states)
    ]
    return table([head, *rows]).encode()


STRIPE_HEAD = ["id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Captured", "Converted Amount",
               "Converted Amount Refunded", "Converted Currency", "Decline Reason", "Description", "Fee", "Refunded date (UTC)",
               "Statement Descriptor", "Status", "Seller Message", "Taxes On Fee", "Card ID", "Customer ID", "Customer Description",
               "Customer Email", "Invoice ID", "Transfer"]  # fmt: skip


def stripe_rows(currencies: Sequence[str] = ("usd",), settled: str = "usd") -> list[list[object]]:
    rows = []
    for i in range(12):
        status = "Failed" if i % 4 == 1 else "Refunded" if i == 6 else "Paid"
        back = "8.00" if status == "Refunded" else "0.00"
        currency = currencies[i % len(currencies)]
        rows.append([f"ch_{i:03d}", f"2026-01-{28 - 2 * i:02d} 03:48:02", "8.00", back, currency, "false" if status == "Failed" else "true", "8.00",
                     back, settled, "do_not_honor" if status == "Failed" else "", "Order", "0.53", "2026-02-17 22:07:52" if status == "Refunded" else "",
                     "MAPLE", status, "", "0.00", "card_1", f"cus_{i}", "", f"buyer{i}@example.org", "", ""])  # fmt: skip
    return rows


def stripe() -> bytes:
    return table([STRIPE_HEAD, *stripe_rows()]).encode()


def stripe_currencies() -> bytes:
    return table(
        [STRIPE_HEAD, *stripe_rows(("usd", "eur", "mxn"), "thb")], delimiter=";", end="\r\n"
    ).encode()


def hubspot() -> bytes:
    head = [
        "Record ID",
        "Deal Name",
        "Deal Stage",
        "Pipeline",
        "Amount",
        "Close Date",
        "Create Date",
        "Deal owner",
        "Associated Company",
    ]
    stages = ["Closed Won", "Appointment scheduled", "Closed Lost", "Closed Won", "Contract sent"]
    rows = [
        [
            9000 + i,
            f"Deal {i}",
            stage,
            "Sales",
            1500 + i,
            f"2026-01-{10 + i} 10:00",
            "2025-12-01 09:00",
            "Ann Example",
            "Acme",
        ]
        for i, stage in enumerate(stages)
    ]
    return table([head, *rows]).encode()


QUALTRICS_HEAD = ["StartDate", "EndDate", "Status", "IPAddress", "Progress", "Duration (in seconds)", "Finished", "RecordedDate", "ResponseId",
                  "RecipientLastName", "RecipientFirstName", "RecipientEmail", "ExternalReference", "LocationLatitude", "LocationLongitude",
                  "DistributionChannel", "UserLanguage", "Q1", "Q2", "Q2_NPS_GROUP"]  # fmt: skip


def _qualtrics_rows() -> list[list[object]]:
    rows = []
    for i in range(12):
        when = f"2026-01-{5 + i:02d} 08:28:48"
        status, finished = (1, 1) if i == 2 else (0, 0) if i == 3 else (0, 1)
        rows.append([when, when, status, "203.0.113.66", 100, 38, finished, when, f"R_{i:03d}", "Doe", "Jo", "jo@example.org", "", "52.1", "5.1",
                     "anonymous", "DE", "Hallo!", (i * 3) % 11, "Promoter"])  # fmt: skip
    return rows


def qualtrics() -> bytes:
    asked = [
        *QUALTRICS_HEAD[:17],
        "Was meinen Sie?",
        "Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?",
        "Gruppe",
    ]
    ids = ['{"ImportId":"' + name + '"}' for name in QUALTRICS_HEAD]
    return table([QUALTRICS_HEAD, asked, ids, *_qualtrics_rows()]).encode()


def qualtrics_legacy() -> bytes:
    head = [
        "ResponseID",
        "ResponseSet",
        "Name",
        "EmailAddress",
        "IPAddress",
        "Status",
        "StartDate",
        "EndDate",
        "Finished",
        "Q1",
    ]
    asked = [*head[:-1], "How likely are you to recommend us?"]
    rows = [
        [
            f"R_{i}",
            "Default",
            "Jo",
            "jo@example.org",
            "203.0.113.66",
            0,
            f"2026-01-{5 + i:02d} 08:28:48",
            f"2026-01-{5 + i:02d} 08:30:00",
            1,
            10 - i,
        ]
        for i in range(6)
    ]
    return table([head, asked, *rows]).encode()


def surveymonkey() -> bytes:
    head = ["Respondent ID", "Collector ID", "Start Date", "End Date", "IP Address", "Email Address", "First Name", "Last Name", "Custom Data 1",
            "How likely is it that you would recommend us, all things considered,\nto a friend?", "Why?"]  # fmt: skip
    second = ["", "", "", "", "", "", "", "", "", "Response", "Open-Ended Response"]
    scores = ["10 - Extremely likely", "9", "0 - Not at all likely", "7", "8", "10 - Extremely likely"]
    rows = [
        [
            f"1100{i}",
            "C1",
            f"01/{13 + i}/2026 10:00:00 AM",
            f"01/{13 + i}/2026 10:05:00 AM",
            "203.0.113.66",
            "",
            "",
            "",
            "",
            score,
            "fine",
        ]
        for i, score in enumerate(scores)
    ]
    return table([head, second, *rows]).encode()


def typeform() -> bytes:
    head = [
        "#",
        "How likely are you to *recommend* {{answer_42}} to a friend?",
        "Anything else?",
        "Start Date (UTC)",
        "Submit Date (UTC)",
        "Network ID",
    ]
    rows = [
        [
            f"tok{i}",
            i % 11,
            "",
            f"2026-01-{5 + i:02d} 09:05:14",
            f"2026-01-{5 + i:02d} 09:05:40",
            "d3560842b2",
        ]
        for i in range(11)
    ]
    return table([head, *rows]).encode()


def pinterest_ads() -> bytes:
    head = ["Date", "Campaign name", "Ad group name", "Spend in account currency", "Impressions", "Pin clicks", "Outbound clicks", "CTR", "eCPC",
            "Total conversions", "Checkouts", "Checkout value in account currency"]  # fmt: skip
    rows = [
        [day, "Soap", "A", f"{4.5 + n:.2f}", 300 + n, 9, 4, 0.03, 0.5, 1, 1, "20.00"]
        for n, day in enumerate(_days(5))
    ]
    return table([head, *rows, ["Total", "", "", "32.50", 1510, 45, 20, 0.03, 0.5, 5, 5, "100.00"]]).encode()


def web_page_xls() -> bytes:
    rows = "".join(f"<tr><td>2026-01-0{n}</td><td>{300 + n}</td></tr>" for n in range(1, 6))
    return f"<html><body><table><tr><th>Date</th><th>Views</th></tr>{rows}</table><script>alert(1)</script></body></html>".encode()


FIXTURES: dict[str, Callable[[], bytes]] = {
    "Dec-01-2023_Mar-01-2024_100.csv": meta_fb_posts_2024,
    "meta_fb_posts_2026.csv": meta_fb_posts_2026,
    "meta_fb_daily.csv": meta_fb_daily,
    "meta_fb_split.csv": meta_fb_split,
    "meta_fb_videos_es.csv": meta_fb_videos_es,
    "weeks_by_hand.csv": own_table,
    "meta_ig_posts.csv": meta_ig_posts,
    "meta_ig_stories.csv": meta_ig_stories,
    "meta_ig_posts_es.csv": meta_ig_posts_es,
    "meta_ig_posts_nl.csv": meta_ig_posts_nl,
    "meta_ig_posts_de.csv": meta_ig_posts_de,
    "Follows.csv": meta_page_follows,
    "Reach.csv": meta_page_reach_tab,
    "Audience.csv": meta_audience,
    "facebook_insights.csv": facebook_insights,
    "facebook_insights.xls": facebook_insights_xls,
    "meta_ads_daily.csv": meta_ads_daily,
    "meta_ads_total_first.xlsx": meta_ads_total_first,
    "meta_ads_months.csv": meta_ads_months,
    "Maple-Campaigns-1-Sep-202430-Sep-2024.csv": meta_ads_no_data,
    "youtube_table.csv": youtube_table,
    "youtube_table_es.csv": youtube_table_es,
    "youtube_table_ru.csv": youtube_table_ru,
    "Totals.csv": youtube_totals,
    "Table data.csv": youtube_geography,
    "youtube.zip": youtube_zip,
    "Content.csv": tiktok_content,
    "FollowerHistory_2026-01-19.csv": tiktok_followers,
    "Overview_2026-01-19.csv": tiktok_overview,
    "Viewers_2026-01-09.csv": tiktok_viewers,
    "FollowerGender.csv": tiktok_gender,
    "tweet_activity_metrics_maplemoss.csv": tweet_activity,
    "tweet_activity_resaved.csv": tweet_activity_resaved,
    "account_analytics_content.csv": x_content,
    "account_overview_analytics.csv": x_overview,
    "linkedin_page.xls": linkedin_page_xls,
    "linkedin_followers.xls": linkedin_followers_xls,
    "linkedin_creator.xlsx": linkedin_creator_xlsx,
    "crowdtangle_fb.csv": crowdtangle_fb,
    "crowdtangle_ig.csv": crowdtangle_ig,
    "fanpage_karma.xlsx": fanpage_karma,
    "ga4_daily.csv": ga4_daily,
    "ga4_es.csv": ga4_es,
    "ga4_multi.csv": ga4_multi,
    "ga4_events.csv": ga4_events,
    "ga4_resaved.csv": ga4_resaved,
    "google_ads.csv": google_ads,
    "google_ads_tab.csv": google_ads_tab,
    "google_ads_series.csv": google_ads_series,
    "matomo_days.csv": matomo_days,
    "matomo_scheduled.csv": matomo_scheduled,
    "orders_export.csv": shopify_orders,
    "orders_export_damaged.csv": shopify_damaged,
    "shopify_sales.csv": shopify_sales,
    "woocommerce.csv": woocommerce,
    "unified_payments.csv": stripe,
    "payments_currencies.csv": stripe_currencies,
    "hubspot-crm-exports-deals.csv": hubspot,
    "qualtrics.csv": qualtrics,
    "qualtrics_legacy.csv": qualtrics_legacy,
    "surveymonkey.csv": surveymonkey,
    "typeform.csv": typeform,
    "pinterest_ads.csv": pinterest_ads,
    "web_page.xls": web_page_xls,
}


def main() -> None:
    """Write all of them."""
    HERE.mkdir(exist_ok=True)
    for name, make in FIXTURES.items():
        (HERE / name).write_bytes(make())


if __name__ == "__main__":
    main()
