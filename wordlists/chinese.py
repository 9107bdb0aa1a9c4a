"""Common passwords of Chinese speakers, made by rule: names and phrases in Pinyin.

Figures around a word (`woaini1314`, `zhangwei123`) are recognised when a password is checked, so
only the words stand here.
"""

from collections.abc import Iterator

SURNAMES = """
wang li zhang liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo liang song zheng
xie han tang feng yu dong xiao cheng cao yuan deng fu shen zeng peng lv su lu jiang cai jia ding wei
xue ye yan pan du dai xia zhong tian ren fan fang shi yao tan liao zou xiong jin hao kong bai cui
kang mao qiu qin gu hou shao meng long wan duan lei qian tang yin yi chang wen qiao lai gong pang
""".split()  # noqa: SIM905 - a table is read more easily as it would be printed
GIVEN = """
wei fang na min jing li qiang lei jun yang yong yan jie juan tao ming chao xiu xia ping gang gui
hong hua hui jian yu ying ling bo bin bing cheng dan fei feng hai hao heng jia ke kai kun lan liang
lin long lu mei meng nan ning peng qi qian qin qing rong rui shan shu song tian ting wen xi xian
xiang xiao xin xing xu xue ya yao yi yin yuan yue yun ze zhe zhen zhi zhong zhou zi zhuo an chen
chun di dong fan fu guang guo han jin lei miao ni ran si tong wan xuan yifan zihan haoran
""".split()  # noqa: SIM905 - likewise
COMMON_IN_PAIRS = """
wei fang li jun hua ming xiao jing yan hong mei ying jie yu hai xin yi wen jian zhi guo ping yun xue
lin jia zi qiang bo tian
""".split()  # noqa: SIM905 - likewise
LOVED = """
ni wo ta nimen tamen wojia mama baba laopo laogong baobao zhongguo beijing shanghai laoshi jiejie
meimei gege didi qinren baobei yinyue zuqiu lanqiu youxi xuexi shenghuo ziji shijie
""".split()  # noqa: SIM905 - likewise
WORDS = """
mima wodemima meiyoumima woshishui nishishui wobuzhidao buzhidao nihao nihaoma zaijian xiexie
duibuqi meiguanxi haode kaixin kuaile shengrikuaile xinniankuaile gongxifacai facai dafa
yilushunfeng shunli jixiang ruyi jixiangruyi pingan jiankang xingfu meili piaoliang shuaige meinv
laopo laogong baobao baobei qinaide xiaobao dabao erbao tiantian yangyang xiaoxiao niuniu maomao
gougou xiaomao xiaogou laohu shizi tuzi xiongmao daxiong xiaoxiong huli laoshu zhuzhu xiaozhu dazhu
haitun zhongguo zhonghua zhongguoren woaizhongguo beijing shanghai guangzhou shenzhen hangzhou
nanjing chengdu chongqing tianjin wuhan xian suzhou changsha zhengzhou qingdao shenyang dalian
jinan xiamen fuzhou kunming harbin haerbin changchun ningbo wuxi hefei nanning guiyang taiyuan
shijiazhuang hongkong xianggang aomen taiwan taibei taobao weixin zhifubao alipay wechat tencent
tengxun baidu xinlang weibo souhu wangyi youku douyin kuaishou bilibili xiaomi huawei lenovo
lianxiang jingdong meituan didi zhihu douban tianya renren yunhu hupan diannao shouji dianhua
wangluo hulianwang laoshi xuesheng xuexi daxue gaozhong chuzhong xiaoxue gaokao kaoshi gongzuo
shangban xiaban laoban jingli gongsi mishu yisheng hushi jingcha nongmin gongren junren jiefangjun
gongchandang mao maozedong zhouenlai dengxiaoping jinyong guojing huangrong yangguo xiaolongnv
zhangwuji linghuchong weixiaobao duanyu qiaofeng xuzhu sunwukong zhubajie tangseng shaseng jiabaoyu
lindaiyu caocao liubei guanyu zhangfei zhugeliang zhaoyun sunquan zhouyu lvbu diaochan zhoujielun
liudehua zhangxueyou guofucheng liming chenglong lixiaolong linjunjie wangfei denglijun yaoming
liuxiang kebi woaiwo aini ainiyiwannian yishengyishi yixinyiyi tianchangdijiu yongyuan yongyuanaini
woxiangni xiangni xihuanni woxihuanni jiegeihunba jiehun aiqing lianai shanliang zhenai zhenxin
qingren meimei gege jiejie mama baba yeye nainai laolao laoye jiushiaini buyao feichang haoren
huairen shagua bendan shabi caonima nimabi wocao tamade hundan wangba wangbadan gunkai daodan
tiancai tianshi emo mogui shenxian jingling gongzhu wangzi huangdi huanghou daxia feng yun lei dian
chuntian xiatian qiutian dongtian xingqi yueliang taiyang xingxing xingkong tiankong dahai haiyang
lantian baiyun caihong meigui mudan lianhua taohua juhua yinghua moli baihe hupo feicui zhenzhu
shuijing huangjin caifu youqian facaila wanshiruyi xinxiangshicheng mashangyouqian longma jinlong
feilong wolong qinglong baihu zhuque xuanwu fenghuang qilin
""".split()  # noqa: SIM905 - likewise


def chinese_passwords() -> set[str]:
    """Names, phrases and words, each without blanks and in lower case."""
    return {*_names(), *_loves(), *WORDS, *SURNAMES, *GIVEN}


def _names() -> Iterator[str]:
    for surname in SURNAMES:
        for given in GIVEN:
            yield surname + given
            yield given + surname
    for surname in SURNAMES[:20]:
        for first in COMMON_IN_PAIRS:
            for second in COMMON_IN_PAIRS:
                yield surname + first + second


def _loves() -> Iterator[str]:
    for whom in (*LOVED, *SURNAMES, *(one + two for one in SURNAMES[:30] for two in GIVEN[:30])):
        yield f"woai{whom}"
        yield f"ilove{whom}"
