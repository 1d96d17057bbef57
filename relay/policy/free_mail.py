"""Domains that give mail addresses to anybody: never taken for the organisation's own (logging.exclude.internal).

Pure.
"""

_LARGE = """
gmail.com googlemail.com
outlook.com hotmail.com live.com msn.com passport.com windowslive.com
yahoo.com ymail.com rocketmail.com myyahoo.com
aol.com aim.com love.com netscape.net compuserve.com
icloud.com me.com mac.com
gmx.com gmx.net gmx.us mail.com email.com usa.com
proton.me protonmail.com protonmail.ch pm.me
fastmail.com fastmail.fm hey.com duck.com hushmail.com hush.com tutanota.com tuta.io tuta.com tutamail.com
mailbox.org posteo.de posteo.net runbox.com mailfence.com startmail.com disroot.org riseup.net
zoho.com zohomail.com zohomail.eu inbox.com lycos.com excite.com juno.com netzero.net
mailinator.com yopmail.com guerrillamail.com
"""

_BY_COUNTRY = """
outlook.at outlook.be outlook.cl outlook.cz outlook.de outlook.dk outlook.es outlook.fr outlook.ie outlook.in
outlook.it outlook.jp outlook.pt outlook.sa outlook.com.ar outlook.com.au outlook.com.br
hotmail.be hotmail.ca hotmail.ch hotmail.co.jp hotmail.co.uk hotmail.de hotmail.dk hotmail.es hotmail.fi
hotmail.fr hotmail.it hotmail.nl hotmail.no hotmail.se hotmail.com.ar hotmail.com.au hotmail.com.br hotmail.com.mx
live.at live.be live.ca live.cl live.co.uk live.co.za live.cn live.com.ar live.com.au live.com.mx live.com.pt
live.de live.dk live.fi live.fr live.ie live.in live.it live.jp live.nl live.no live.ru live.se
yahoo.at yahoo.be yahoo.ca yahoo.ch yahoo.cn yahoo.co.id yahoo.co.in yahoo.co.jp yahoo.co.kr yahoo.co.nz
yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.cn yahoo.com.co yahoo.com.hk
yahoo.com.mx yahoo.com.my yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn yahoo.cz yahoo.de
yahoo.dk yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl
yahoo.pt yahoo.ro yahoo.ru yahoo.se
aol.co.uk aol.de aol.fr aol.it aol.es aol.jp
gmx.at gmx.ch gmx.co.uk gmx.de gmx.es gmx.fr gmx.it web.de freenet.de t-online.de arcor.de online.de 1und1.de
vodafone.de kabelmail.de email.de mail.de freemail.de o2online.de
orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr numericable.fr club-internet.fr aliceadsl.fr
libero.it virgilio.it alice.it tin.it tiscali.it tim.it fastwebnet.it inwind.it iol.it email.it
telefonica.net terra.es movistar.es ono.com ya.com euskaltel.net
sapo.pt mail.pt clix.pt netcabo.pt iol.pt
ziggo.nl kpnmail.nl planet.nl hetnet.nl home.nl xs4all.nl casema.nl chello.nl upcmail.nl tele2.nl
telenet.be skynet.be proximus.be scarlet.be
bluewin.ch sunrise.ch hispeed.ch
aon.at chello.at a1.net drei.at
telia.com bredband.net comhem.se spray.se home.se glocalnet.net tele2.se swipnet.se passagen.se bahnhof.se
online.no broadpark.no frisurf.no getmail.no lyse.net
tdcadsl.dk mail.dk mail.tele.dk stofanet.dk jubii.dk ofir.dk
kolumbus.fi elisanet.fi luukku.com suomi24.fi pp.inet.fi saunalahti.fi
simnet.is internet.is
btinternet.com btopenworld.com sky.com virginmedia.com virgin.net ntlworld.com blueyonder.co.uk talktalk.net
tiscali.co.uk plus.com o2.co.uk eircom.net
comcast.net xfinity.com verizon.net att.net sbcglobal.net bellsouth.net pacbell.net ameritech.net swbell.net
cox.net charter.net spectrum.net roadrunner.com rr.com twc.com earthlink.net mindspring.com optonline.net
optimum.net frontier.com frontiernet.net centurylink.net centurytel.net embarqmail.com windstream.net q.com
suddenlink.net cableone.net mediacombb.net
shaw.ca rogers.com sympatico.ca bell.net videotron.ca telus.net cogeco.ca eastlink.ca
bigpond.com bigpond.net.au optusnet.com.au iinet.net.au tpg.com.au internode.on.net
xtra.co.nz slingshot.co.nz
seznam.cz centrum.cz atlas.cz email.cz post.cz volny.cz azet.sk zoznam.sk
wp.pl o2.pl onet.pl onet.eu op.pl poczta.onet.pl interia.pl interia.eu gazeta.pl tlen.pl vp.pl poczta.fm
freemail.hu citromail.hu t-online.hu abv.bg mail.bg dir.bg
mail.ru bk.ru inbox.ru list.ru internet.ru rambler.ru lenta.ru yandex.ru yandex.com ya.ru yandex.by yandex.kz
yandex.ua ukr.net i.ua meta.ua bigmir.net tut.by inbox.lv inbox.lt mail.ee hot.ee
windowslive.es otenet.gr forthnet.gr in.gr mynet.com ttmail.com walla.co.il walla.com bezeqint.net 012.net.il
uol.com.br bol.com.br terra.com.br ig.com.br globo.com globomail.com r7.com zipmail.com.br oi.com.br
prodigy.net.mx terra.com.mx fibertel.com.ar speedy.com.ar arnet.com.ar ciudad.com.ar vtr.net
rediffmail.com rediff.com sify.com indiatimes.com vsnl.net
qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn aliyun.com tom.com 21cn.com
naver.com hanmail.net daum.net kakao.com nate.com
docomo.ne.jp ezweb.ne.jp softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp au.com
hinet.net pchome.com.tw seed.net.tw netvigator.com singnet.com.sg starhub.net.sg pacific.net.sg
mweb.co.za telkomsa.net vodamail.co.za webmail.co.za
"""

FREE_MAIL = frozenset((_LARGE + _BY_COUNTRY).split())
