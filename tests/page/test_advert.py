"""Lines of strangers, and lines that only speak of what strangers sell."""

import pytest

from pipeline.page.advert import is_foreign


@pytest.mark.parametrize(
    "line",
    [
        "2018香港开码资料",
        "网上赌场 真人娱乐 老虎机",
        "兰州白癜风医院哪家好",
        "代开发票 电话13800000000",
        "丰胸产品加微信：abc12345",
        "广州搬家公司电话",
        "新开传奇私服 www.example.com",
    ],
)
def test_foreign(line):
    assert is_foreign(line)


@pytest.mark.parametrize(
    "line",
    [
        "澳门赌场",
        "癫痫病医院",
        "警方捣毁一赌博网站",
        "警方捣毁网上赌场，涉案者用的是老虎机和百家乐。",
        "北京哪家好",
        "上海 北京 天津",
        "我的电话是13800000000",
        "减肥药的副作用",
        "友情链接",
        "",
    ],
)
def test_not_foreign(line):
    assert not is_foreign(line)
